package story_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"amber/timeline/story"
)

// hostile are names as an attacker might choose them.
var hostile = []string{
	"\x1b[2J\x1b[31mred", "a\r\nFAKE LINE", "rtl\u202egpj.exe", "zero\u200bwidth\ufeff", "\u009b31m",
	`"><script>alert(1)</script>`, `'"><img src=x onerror=alert(1)>`, "</text></svg><b>", "--><style>*{}</style>",
	"[x](javascript:alert(1))", "![i](http://evil.example/p.png)", "<http://evil.example>", "http://evil.example/auto", "www.evil.example",
	"# heading", "- item", "> quote", "```\nfence", "a`b``c```d", "| a | b |", "*bold* _em_ ~~s~~ \\", "&lt;b&gt; &#60;", "$x^2$", "@somebody #1",
	strings.Repeat("é", 3000), "e\u0301\u0301\u0301", "\xff\xfe",
}

// hostileLogs have such a name in every position that a story shows.
func hostileLogs(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var kube, tetragon, trail bytes.Buffer
	for i, h := range hostile {
		v := func(s string) string {
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		at := fmt.Sprintf("2026-03-01T10:%02d:00", i)
		record := func(n int, verb, resource, name, sub, uri, more string) {
			fmt.Fprintf(&kube, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"%d-%d","stage":"ResponseComplete","requestURI":%s,"verb":%s,"user":{"username":%s,"groups":[%s]},"impersonatedUser":{"username":%s},"sourceIPs":["198.51.100.7"],"userAgent":%s,"objectRef":{"resource":%s,"namespace":%s,"name":%s,"subresource":%s},"responseStatus":{"code":201}%s,"requestReceivedTimestamp":"%s.%06dZ","stageTimestamp":"%s.%06dZ"}`+"\n",
				i, n, v(uri), v(verb), v(h), v(h), v("as "+h), v(h), v(resource), v(h), v(name), v(sub), more, at, n, at, n)
		}
		record(1, "create", "pods", h, "exec", "/x/exec?command=sh&command=-c&command="+strings.ReplaceAll(fmt.Sprintf("%q", h), " ", "+")+"&container="+h, "")
		record(2, "create", "pods", h, "", "/x", `,"requestObject":{"spec":{"containers":[{"image":`+v(h)+`,"securityContext":{"privileged":true}}],"volumes":[{"hostPath":{"path":`+v(h)+`}}]}}`)
		record(3, "create", "clusterrolebindings", h, "", "/x", `,"requestObject":{"roleRef":{"name":`+v(h)+`},"subjects":[{"kind":"User","name":`+v(h)+`}]}`)
		record(4, "delete", h, h, "", "/x", "")
		record(5, "list", "secrets", "", "", "/x", `,"responseObject":{"items":[{"metadata":{"name":`+v(h)+`}}]}`)
		fmt.Fprintf(&tetragon, `{"process_exec":{"process":{"exec_id":"%d","pid":%d,"binary":%s,"arguments":%s,"start_time":"%s.1Z","pod":{"namespace":%s,"name":%s,"container":{"id":"containerd://%s","name":%s,"image":{"name":%s}}}}},"node_name":%s,"time":"%s.1Z"}`+"\n",
			i, 100+i, v("/bin/nsenter"), v(h), at, v(h), v(h), strings.Repeat(fmt.Sprintf("%02x", i+16), 32), v(h), v(h), v(h), at)
		fmt.Fprintf(&trail, `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","arn":%s,"userName":%s,"accessKeyId":%s},"eventTime":"%sZ","eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","awsRegion":%s,"sourceIPAddress":"198.51.100.7","userAgent":%s,"requestParameters":{"userName":%s},"responseElements":{"accessKey":{"accessKeyId":%s,"userName":%s}},"eventID":"e-%d","eventType":"AwsApiCall","errorCode":%s}`+"\n",
			v(h), v(h), v(h), at, v(h), v(h), v(h), v(h), v(h), i, v(h))
	}
	var paths []string
	for name, b := range map[string]*bytes.Buffer{"kube.jsonl": &kube, "tetragon.json": &tetragon, "trail.jsonl": &trail} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func written(t *testing.T, st *story.Story, write func(io.Writer, *story.Story) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, st); err != nil {
		t.Fatal(err)
	}
	for i, r := range b.String() {
		if r != '\n' && (r < 0x20 || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)) {
			t.Fatalf("%U at %d: %q", r, i, b.String()[max(0, i-40):i])
		}
	}
	if !utf8.Valid(b.Bytes()) {
		t.Error("not UTF-8")
	}
	return b.String()
}

func TestHostile(t *testing.T) {
	st := told(t, opened(t, hostileLogs(t)...), story.Options{})
	if n := len(lines(st)); n < 2*len(hostile) {
		t.Fatalf("only %d sentences: the hostile names are not told", n)
	}
	t.Run("text", func(t *testing.T) {
		for _, line := range strings.Split(written(t, st, story.Text), "\n") {
			if strings.HasPrefix(line, "FAKE") {
				t.Errorf("a name began a line: %q", line)
			}
		}
	})
	t.Run("markdown", func(t *testing.T) { checkMarkdown(t, written(t, st, story.Markdown)) })
	t.Run("html", func(t *testing.T) { checkHTML(t, written(t, st, story.HTML)) })
}

var (
	entities = regexp.MustCompile(`&(lt|gt|amp|#58|#46);`)
	starts   = regexp.MustCompile(`^(#{1,2} |- |  |Note: |Who: |On what: |\d{4}-|$)`)
	times    = regexp.MustCompile(`^- \*\*[0-9:. TZto-]+\*\*`)
)

// bare is a line without escapes and code spans, read as CommonMark has it.
func bare(line string) string {
	var out strings.Builder
	for i := 0; i < len(line); {
		switch {
		case line[i] == '\\' && i+1 < len(line) && strings.IndexByte("\\`*_{}[]()#+!|~@\"'$=^", line[i+1]) >= 0:
			i += 2
		case line[i] == '`':
			n, closed := spanAt(line[i:])
			if i += n; !closed {
				out.WriteByte('`')
			}
		default:
			out.WriteByte(line[i])
			i++
		}
	}
	return entities.ReplaceAllString(out.String(), "")
}

// spanAt is the length of the code span that a text begins with, of the opening
// alone where it is not closed.
func spanAt(s string) (length int, closed bool) {
	n := len(s) - len(strings.TrimLeft(s, "`"))
	for i := n; i < len(s); {
		run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if run == n {
			return i + n, true
		}
		i += max(run, 1)
	}
	return n, false
}

// checkMarkdown takes away what is escaped and what is code: nothing is left that
// means anything, but what the writer itself sets.
func checkMarkdown(t *testing.T, text string) {
	for _, line := range strings.Split(text, "\n") {
		if !starts.MatchString(line) {
			t.Errorf("a line that nobody meant: %q", line)
		}
		plain := bare(times.ReplaceAllString(line, ""))
		plain = strings.TrimPrefix(strings.TrimPrefix(plain, "## "), "# ")
		if strings.ContainsAny(plain, "<>[]*_`#!|~@$\\") {
			t.Errorf("left of %q: %q", line, plain)
		}
		if strings.Contains(plain, "http:") || strings.Contains(plain, "www.") {
			t.Errorf("a link would be made of %q", plain)
		}
	}
}

// allowed are the elements and attributes of a page.
var allowed = map[string]string{
	"html": "lang", "head": "", "meta": "charset http-equiv content name", "title": "", "style": "", "body": "", "h1": "", "h2": "", "p": "class", "span": "class style",
	"ol": "", "ul": "", "li": "class", "time": "", "br": "", "code": "",
	"svg": "viewbox width height role aria-label", "defs": "", "marker": "id viewbox refx refy markerwidth markerheight orient", "path": "d fill", "g": "stroke fill",
	"text": "x y text-anchor font-size fill", "line": "x1 y1 x2 y2 stroke stroke-opacity stroke-width marker-end stroke-dasharray", "circle": "cx cy r",
}

// checkHTML reads the page as a browser does: it has the elements and attributes
// that the writer sets, and no others.
func checkHTML(t *testing.T, page string) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if n.Type == html.ElementNode {
			attributes, ok := allowed[n.Data]
			if !ok {
				t.Errorf("an element that nobody meant: %s", n.Data)
			}
			for _, a := range n.Attr {
				if !strings.Contains(" "+attributes+" ", " "+strings.ToLower(a.Key)+" ") {
					t.Errorf("an attribute that nobody meant: %s of %s", a.Key, n.Data)
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	if !strings.Contains(page, "default-src &#39;none&#39;") && !strings.Contains(page, "default-src 'none'") {
		t.Error("no content security policy")
	}
}
