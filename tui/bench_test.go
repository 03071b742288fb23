package tui

import (
	"fmt"
	"strings"
	"testing"
)

// The parts of the screen for which there are widgets: testdata/bench/tui/widgets
// measures those at the same work.

func benchLook(b *testing.B) *look {
	b.Helper()
	k, err := newLook("dark", false)
	if err != nil {
		b.Fatal(err)
	}
	return &k
}

func BenchmarkWidgetInput(b *testing.B) {
	k, e := benchLook(b), editor{}
	e.set("user.name:mallory AND NOT event.action:(get OR list) AND source.ip:203.0.113.9")
	for i := range b.N {
		p := press{"x", "x"}
		if i%2 == 1 {
			p = press{name: "backspace"}
		}
		e.key(p)
		_ = e.view(k, 120)
	}
}

func benchModel(b *testing.B) *model {
	b.Helper()
	m := newModel(Case{}, *benchLook(b), Options{Now: now})
	m.w, m.h = 120, 40
	return m
}

func BenchmarkWidgetViewport(b *testing.B) {
	m, t := benchModel(b), &pages{title: "a text"}
	for range 5000 {
		t.lines = append(t.lines, seg{"02:11:40.000 K exec           mallory            pods/exec shop/web-3: /bin/sh", m.k.Field})
	}
	for i := range b.N {
		t.top = i % 4000
		_ = strings.Join(t.view(m, 120, 38), "\n")
	}
}

func BenchmarkWidgetHelp(b *testing.B) {
	m := benchModel(b)
	for range b.N {
		_ = m.k.line(100, paint{}, m.hints()...)
	}
}

func BenchmarkWidgetKey(b *testing.B) {
	m := benchModel(b)
	last := m.keymap[len(m.keymap)-2]
	for range b.N {
		for i := range m.keymap {
			if x := &m.keymap[i]; x.on&atList != 0 && x.has("ctrl+c") {
				if x.help != last.help {
					b.Fatal(x.help)
				}
				break
			}
		}
	}
}

func BenchmarkWidgetBars(b *testing.B) {
	m := benchModel(b)
	o := &m.tl.over
	o.bars, o.count = make([]int64, 111), 1
	for p := range 7 {
		s := stack{name: fmt.Sprint("source-", p), bars: make([]int64, 111)}
		for i := range s.bars {
			s.bars[i] = int64((i*p)%13 + 1)
			o.bars[i] += s.bars[i]
		}
		o.stacks = append(o.stacks, s)
	}
	for range b.N {
		_ = m.drawChart(119, 6)
	}
}

func BenchmarkWidgetSpark(b *testing.B) {
	k, counts := benchLook(b), make([]int, 60)
	for i := range counts {
		counts[i] = i * 7 % 11
	}
	for range b.N {
		_ = k.line(60, paint{}, seg{spark(k.bars, counts), k.Good})
	}
}
