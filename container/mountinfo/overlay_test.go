package mountinfo

import (
	"reflect"
	"testing"
)

func TestParseOverlay(t *testing.T) {
	for super, want := range map[string]Overlay{
		`rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,xino=off`: {Upper: "/u", Work: "/w", Lower: []string{"/a", "/b"}},
		`rw,lowerdir=/a\134:b:/c\040d\054e::/data`:          {Lower: []string{"/a:b", "/c d,e", "/data"}},
		`ro,lowerdir+=/a:b,lowerdir+=/c,datadir+=/d`:        {Lower: []string{"/a:b", "/c", "/d"}},
		`rw,lowerdir=/x\134\134y,userxattr`:                 {Lower: []string{`/x\y`}, UserXattr: true},
		``:                                                  {},
	} {
		if got := ParseOverlay(super); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", super, got, want)
		}
	}
}

func FuzzParseOverlay(f *testing.F) {
	f.Add(`rw,lowerdir=/a\134:b:/c::/d,upperdir=/u`)
	f.Add(`\`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, dir := range ParseOverlay("lowerdir=" + s).Lower {
			if dir == "" {
				t.Fatalf("%q gives an empty directory", s)
			}
		}
	})
}
