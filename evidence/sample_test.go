package evidence

import (
	"fmt"
	"maps"
	"testing"
)

func TestSample(t *testing.T) {
	var files []File
	total := int64(0)
	for i := range 200 {
		files = append(files, File{Name: fmt.Sprint("blob-", i), Size: int64(1000 + i)})
		total += files[i].Size
	}
	if all := (*Sample)(nil).Choose(files); len(all) != len(files) {
		t.Errorf("no sample reads %d files of %d", len(all), len(files))
	}
	one := &Sample{Share: 0.1, Seed: "a"}
	got, read := one.Choose(files), int64(0)
	for _, f := range files {
		if got[f.Name] {
			read += f.Size
		}
	}
	if read < total/10 || read > total/10+2000 {
		t.Errorf("a tenth of %d bytes is %d", total, read)
	}
	if again := one.Choose(files); !maps.Equal(got, again) {
		t.Error("one seed gives two choices")
	}
	if other := (&Sample{Share: 0.1, Seed: "b"}).Choose(files); maps.Equal(got, other) {
		t.Error("two seeds give one choice")
	}
	if few := (&Sample{Share: 0.001, Seed: "a"}).Choose(files[:1]); len(few) != 1 {
		t.Error("of one file none is read")
	}
}

func TestParseShare(t *testing.T) {
	if s, err := ParseShare("12.5%"); err != nil || s != 0.125 {
		t.Error(s, err)
	}
	for _, bad := range []string{"", "10", "%", "0%", "-1%", "101%", "NaN%", "Inf%", "1e400%"} {
		if s, err := ParseShare(bad); err == nil {
			t.Errorf("%q is %v", bad, s)
		}
	}
}
