package export

import (
	"bufio"
	"fmt"
	"strings"

	"amber/evidence/safetext"
	"amber/timeline"
)

// bodyfile writes rows as the Sleuth Kit's body file 3.X, which mactime reads:
//
//	MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime
//
// A row has one time, in whole seconds; it goes where its action says that it
// belongs, and otherwise to mtime. The others are 0, which mactime leaves out.
type bodyfile struct{ w *bufio.Writer }

func (b *bodyfile) Write(r timeline.Row) error {
	var times [4]int64
	times[slotOf(r)] = goTime(r.Time).Unix()
	size, _ := r.Values["file.size"].(int64)
	_, err := fmt.Fprintf(b.w, "0|%s|0|%s|%s|0|%d|%d|%d|%d|%d\n", part(nameOf(r)), part(text(r, "file.mode", "0")),
		part(text(r, "user.id", "0")), size, times[0], times[1], times[2], times[3])
	return err
}

func (b *bodyfile) Close() error { return b.w.Flush() }

// slotOf is 0 for a time of access, 1 modification, 2 change, 3 birth.
func slotOf(r timeline.Row) int {
	action := strings.ToLower(text(r, "event.action", ""))
	for i, words := range [][]string{{"access"}, {"modif"}, {"chang"}, {"birth", "born", "creat"}} {
		for _, w := range words {
			if strings.Contains(action, w) {
				return i
			}
		}
	}
	return 1
}

func nameOf(r timeline.Row) string {
	if path := text(r, "file.path", ""); path != "" {
		return path
	}
	return text(r, "message", text(r, "event.action", "event"))
}

func text(r timeline.Row, name, otherwise string) string {
	if s, ok := r.Values[name].(string); ok {
		return s
	}
	return otherwise
}

// part keeps a value within its field.
func part(s string) string {
	return strings.ReplaceAll(safetext.Line(s), "|", `\x7c`)
}
