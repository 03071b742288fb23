package tui

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"amber/evidence/durable"
)

// session is what is remembered of a case between two looks at it.
type session struct {
	View    view     `json:"view"`
	Columns []column `json:"columns,omitempty"`
	Filters []string `json:"filters,omitempty"`
	Clock   string   `json:"clock,omitempty"`
	Theme   string   `json:"theme,omitempty"`
	Side    bool     `json:"side,omitempty"`
}

// maxSession bounds what is read back.
const maxSession = 1 << 20

// sessionPath is where the session of a case is kept; empty for nowhere.
func (m *model) sessionPath() string {
	if m.o.State == "" || m.c.Key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(m.c.Key))
	return filepath.Join(m.o.State, hex.EncodeToString(sum[:8])+".json")
}

// restore shows what was shown when the case was left; false where nothing is
// known of that.
func (m *model) restore() bool {
	path := m.sessionPath()
	if path == "" {
		return false
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSession {
		return false
	}
	data, err := os.ReadFile(path)
	var s session
	if err != nil || json.Unmarshal(data, &s) != nil || s.View.Screen < 0 || s.View.Screen >= screens {
		return false // what is not ours is nothing to go by
	}
	if len(s.Columns) > 0 {
		m.tl.cols = s.Columns
	}
	if m.o.Theme == "" && s.Theme != "" && os.Getenv("NO_COLOR") == "" {
		_ = m.setTheme(s.Theme) // one that is not known any more changes nothing
	}
	m.theme = s.Theme // also where it is not shown this time
	m.filters, m.times.clock, m.tl.side = s.Filters, clockNamed(s.Clock), s.Side
	m.show(s.View)
	if s.View.Filter != "" || !s.View.Span.all() {
		m.say("as you left it; x clears the filter")
	}
	return true
}

// saveSession keeps where one is.
func (m *model) saveSession() error {
	path := m.sessionPath()
	if path == "" || !m.tl.asked {
		return nil
	}
	m.tl.view.Screen = m.screen
	s := session{m.tl.view, m.tl.cols, m.filters, m.times.clock.String(), m.theme, m.tl.side}
	data, err := json.Marshal(s)
	if err == nil {
		err = errors.Join(durable.MkdirAll(filepath.Dir(path)), durable.WriteFile(path, data))
	}
	if err != nil {
		return fmt.Errorf("keeping the session: %w", err)
	}
	return nil
}
