package main

import (
	"fmt"
	"os"

	"amber/evidence/safetext"
	"amber/timeline/store"
)

// tellMended says that a timeline opens slowly, and how it does not.
func tellMended(s *store.Store, dir string) {
	if n := s.Mended(); n > 0 {
		fmt.Fprintf(os.Stderr, "amber: %d of the timeline's %s had no index that this amber reads, and it was made anew in memory, as it is at each opening: amber timeline compact --case %s writes it\n",
			n, countText(len(s.Manifest().Segments), "segment"), safetext.Line(dir))
	}
}
