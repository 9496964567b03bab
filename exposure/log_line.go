package exposure

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// logLine is a line of a log without what a CI system, a shell or a log driver
// put before the message.
type logLine struct {
	// time is when it was written, UTC, zero where the line does not say.
	// Zoned is set where the line says in which zone.
	time  time.Time
	zoned bool
	// yearless is a time whose year the line leaves out.
	yearless time.Time

	job, step                       string
	node, namespace, pod, container string
	// writer tells those apart that write into one log: a host, a branch of a
	// parallel pipeline, a service. Of one host, kubelet and container engine
	// speak of the same pulls.
	writer string
	// script is set for a line of a script that a CI system shows before it
	// runs it.
	script bool
	text   string
}

// maxPrefixes bounds the prefixes before one message: the runner's time, the
// container's time, the program's own.
const maxPrefixes = 6

// scriptColour is how the runner of GitHub Actions colours the script of a step
// (https://github.com/actions/runner, ScriptHandler.cs).
const scriptColour = "\x1b[36;1m"

// parseLogLine takes prefixes off a line.
func parseLogLine(line []byte) logLine {
	l := logLine{script: bytes.Contains(line[:min(len(line), 64)], []byte(scriptColour))}
	l.text = plainText(line)
	for range maxPrefixes {
		l.text = strings.Trim(l.text, " \t")
		if !l.stamp() && !l.label() && !l.record() {
			break
		}
	}
	l.text = strings.Trim(l.text, " \t")
	return l
}

// setTime takes the first time that has a zone, or else the first.
func (l *logLine) setTime(t time.Time, zoned bool) {
	if l.time.IsZero() || zoned && !l.zoned {
		l.time, l.zoned = t.UTC(), zoned
	}
}

// stamp cuts a time off the start of the text.
func (l *logLine) stamp() bool {
	s := l.text
	if s == "" {
		return false
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9':
		return l.date(s)
	case c == '[':
		end := strings.IndexByte(s[:min(len(s), 40)], ']')
		if end < 0 || end < 2 || !isDigitByte(s[1]) {
			return false
		}
		inner := logLine{text: s[1:end] + " "}
		if !inner.date(inner.text) || strings.TrimSpace(inner.text) != "" {
			return false
		}
		if !inner.time.IsZero() {
			l.setTime(inner.time, inner.zoned)
		}
		l.text = s[end+1:]
		return true
	case c == 'I' || c == 'W' || c == 'E' || c == 'F':
		return l.klog(s)
	case c >= 'A' && c <= 'S':
		return l.syslog(s)
	}
	return false
}

// dateLayouts are dates with a time as logs write them, with the number of bytes
// before any fraction of a second.
var dateLayouts = []struct {
	layout string
	length int
}{
	{"2006-01-02T15:04:05", 19},
	{"2006-01-02 15:04:05", 19},
	{"2006/01/02 15:04:05", 19},
}

// date cuts a date with a time, a time alone or seconds since 1970 off s.
func (l *logLine) date(s string) bool {
	for _, d := range dateLayouts {
		if len(s) < d.length || s[4] != d.layout[4] || s[10] != d.layout[10] {
			continue
		}
		t, err := time.Parse(d.layout, s[:d.length])
		if err != nil {
			continue
		}
		rest := s[d.length:]
		fraction := fractionLen(rest)
		t = t.Add(nanoseconds(rest[:fraction]))
		zone, n, zoned := zoneOf(rest[fraction:])
		rest = rest[fraction+n:]
		if rest != "" && !strings.ContainsRune(" \t:]|", rune(rest[0])) {
			return false
		}
		l.setTime(t.Add(-zone), zoned)
		l.text = strings.TrimLeft(rest, ":|")
		l.stream()
		return true
	}
	return l.clock(s) || l.epoch(s)
}

// stream cuts off what runners and container engines put between the time and
// the message: GitLab's stream number, the name of the stream in the format of
// the CRI, the host and process of the journal.
func (l *logLine) stream() {
	s := strings.TrimPrefix(l.text, " ")
	switch {
	case len(s) >= 4 && isHexByte(s[0]) && isHexByte(s[1]) && (s[2] == 'O' || s[2] == 'E') && (s[3] == ' ' || s[3] == '+'):
		// https://docs.gitlab.com/runner/configuration/feature-flags/ (FF_TIMESTAMPS)
		l.text = s[4:]
	case strings.HasPrefix(s, "stdout F ") || strings.HasPrefix(s, "stderr F ") || strings.HasPrefix(s, "stdout P ") || strings.HasPrefix(s, "stderr P "):
		l.text = s[len("stdout F "):]
	default:
		l.host(s)
	}
}

// host cuts "node7 containerd[512]: " off s.
func (l *logLine) host(s string) bool {
	host, rest, ok := strings.Cut(s, " ")
	if !ok || host == "" || strings.ContainsAny(host, "\"'=:/[") {
		return false
	}
	process, text, ok := strings.Cut(rest, ": ")
	if !ok || len(process) > 64 || strings.ContainsAny(process, " \"'=") {
		return false
	}
	_, pid, bracket := strings.Cut(process, "[")
	if !bracket || !strings.HasSuffix(pid, "]") {
		return false
	}
	l.node, l.writer, l.text = host, host, text
	return true
}

// clock cuts a time of the day off s, which dates nothing.
func (l *logLine) clock(s string) bool {
	if len(s) < 9 || s[2] != ':' || s[5] != ':' {
		return false
	}
	if _, err := time.Parse("15:04:05", s[:8]); err != nil {
		return false
	}
	rest := s[8:]
	rest = rest[fractionLen(rest):]
	if rest == "" || rest[0] != ' ' {
		return false
	}
	l.text = rest
	return true
}

// epoch cuts seconds or milliseconds since 1970 off s.
func (l *logLine) epoch(s string) bool {
	n := 0
	for n < len(s) && isDigitByte(s[n]) {
		n++
	}
	if n != 10 && n != 13 {
		return false
	}
	v, err := strconv.ParseInt(s[:n], 10, 64)
	if err != nil {
		return false
	}
	rest := s[n:]
	rest = rest[fractionLen(rest):]
	if rest == "" || rest[0] != ' ' {
		return false
	}
	t := time.Unix(v, 0)
	if n == 13 {
		t = time.UnixMilli(v)
	}
	l.setTime(t, true)
	l.text = rest
	return true
}

// klog cuts the header of Kubernetes' logs off s: "I0422 12:35:01.123456 7 a.go:1] "
// (https://github.com/kubernetes/klog, formatHeader). It has no year.
func (l *logLine) klog(s string) bool {
	if len(s) < 22 || !isDigitByte(s[1]) || s[5] != ' ' || s[14] != '.' {
		return false
	}
	t, err := time.Parse("0102 15:04:05.000000", s[1:21])
	end := strings.Index(s, "] ")
	if err != nil || end < 0 || end > 120 {
		return false
	}
	l.setYearless(t)
	l.text = s[end+len("] "):]
	l.keyValues()
	return true
}

// syslog cuts "Apr 22 12:35:01 node7 kubelet[512]: " off s. It has no year
// (https://www.rfc-editor.org/rfc/rfc3164 section 4.1).
func (l *logLine) syslog(s string) bool {
	if len(s) < 16 || s[3] != ' ' {
		return false
	}
	t, err := time.Parse("Jan _2 15:04:05", s[:15])
	if err != nil {
		return false
	}
	rest := s[15:]
	n := fractionLen(rest)
	if rest = rest[n:]; rest == "" || rest[0] != ' ' {
		return false
	}
	if !l.host(rest[1:]) {
		return false
	}
	l.setYearless(t.Add(nanoseconds(s[15 : 15+n])))
	return true
}

func (l *logLine) setYearless(t time.Time) {
	if l.yearless.IsZero() {
		l.yearless = t
	}
}

// complete gives a time that lacks it the year that is nearest to a neighbour
// with one, or the last before the log was changed. Without either it stays
// unknown.
func (l *logLine) complete(neighbour, changed time.Time) bool {
	in := func(year int) time.Time { return l.yearless.AddDate(year-l.yearless.Year(), 0, 0) }
	switch {
	case l.yearless.IsZero():
		return false
	case !neighbour.IsZero():
		l.time = in(neighbour.Year())
		for _, year := range []int{neighbour.Year() - 1, neighbour.Year() + 1} {
			if t := in(year); t.Sub(neighbour).Abs() < l.time.Sub(neighbour).Abs() {
				l.time = t
			}
		}
	case !changed.IsZero():
		l.time = in(changed.Year())
		if l.time.After(changed.Add(24 * time.Hour)) {
			l.time = in(changed.Year() - 1)
		}
	default:
		return false
	}
	return true
}

// label cuts off the name of who writes: a branch of a parallel pipeline, a
// service, a step.
func (l *logLine) label() bool {
	s := l.text
	head := s[:min(len(s), 200)]
	if job, rest, ok := strings.Cut(head, "\t"); ok {
		// `gh run view --log`: job, step, the line.
		step, rest, ok := strings.Cut(rest, "\t")
		if ok && len(rest) > 20 && isDigitByte(rest[0]) && rest[4] == '-' && l.job == "" {
			l.job, l.step = job, step
			if step == "UNKNOWN STEP" {
				l.step = ""
			}
			l.text = s[len(job)+len(step)+2:]
			return true
		}
	}
	switch {
	case strings.HasPrefix(s, "\ufeff"): // a byte order mark
		l.text = s[len("\ufeff"):]
		return true
	case strings.HasPrefix(s, "["):
		name, rest, ok := strings.Cut(head[1:], "] ")
		if !ok || name == "" || name == "Pipeline" || name == "internal" || strings.ContainsAny(name, "[\"'@") {
			return false
		}
		l.writer, l.text = strings.TrimSpace(l.writer+" "+name), strings.TrimPrefix(strings.TrimLeft(s[len(head)-len(rest):], " "), "| ")
		return true
	case strings.HasPrefix(s, "Step #"):
		// Google Cloud Build: `Step #1: ` or `Step #1 - "scan": `.
		step, rest, ok := strings.Cut(head, ": ")
		if !ok {
			return false
		}
		l.step, l.writer, l.text = step, strings.TrimSpace(l.writer+" "+step), s[len(head)-len(rest):]
		return true
	case strings.HasPrefix(s, "INFO[") || strings.HasPrefix(s, "DEBU[") || strings.HasPrefix(s, "WARN["):
		// logrus on a terminal: seconds since the start, or a time.
		inner, rest, ok := strings.Cut(head[5:], "] ")
		if !ok {
			return false
		}
		l.timeIn(inner)
		l.text = s[len(head)-len(rest):]
		return true
	}
	name, rest, ok := strings.Cut(head, "| ")
	if trimmed := strings.TrimRight(name, " "); ok && trimmed != "" && len(trimmed) < len(name) && !strings.ContainsAny(trimmed, " \t\"'=$") {
		l.writer, l.text = strings.TrimSpace(l.writer+" "+trimmed), s[len(head)-len(rest):]
		return true
	}
	return false
}

// record takes the message out of a structured line: JSON, or logrus' and
// slog's key=value.
func (l *logLine) record() bool {
	switch {
	case strings.HasPrefix(l.text, "{\""):
		return l.json()
	case strings.HasPrefix(l.text, "time="):
		return l.logfmt()
	}
	return l.accessLog()
}

// jsonLine is the fields of a log line in JSON that say the same things in
// Docker's json-file driver (log, time), in the export of the journal
// (https://systemd.io/JOURNAL_EXPORT_FORMATS/), in the events of Docker and in
// structured logs. Keys match in either case.
type jsonLine struct {
	Log, Msg, Message   string
	TextPayload         string // Google Cloud Logging
	Time, TS, Timestamp json.RawMessage
	ElasticTime         string `json:"@timestamp"`
	TimeNano            int64
	Journal             string `json:"__REALTIME_TIMESTAMP"` // microseconds
	Host                string `json:"_HOSTNAME"`

	Type, Action, Status, ID string // of an event
	Actor                    struct{ ID string }

	Kubernetes struct { // Fluent Bit and Fluentd
		Namespace string `json:"namespace_name"`
		Pod       string `json:"pod_name"`
		Container string `json:"container_name"`
		Host      string
	}
}

func (l *logLine) json() bool {
	var j jsonLine
	var mistyped *json.UnmarshalTypeError // another program's field of that name
	if err := json.Unmarshal([]byte(l.text), &j); err != nil && !errors.As(err, &mistyped) {
		return false
	}
	text := cmp.Or(j.Log, j.Message, j.Msg, j.TextPayload)
	if j.Type == "image" && (j.Action == "pull" || j.Status == "pull") {
		text = "image pull " + cmp.Or(j.ID, j.Actor.ID)
	}
	if text == "" {
		return false
	}
	l.text = plainText([]byte(text))
	if j.TimeNano != 0 {
		l.setTime(time.Unix(0, j.TimeNano), true)
	}
	if v, err := strconv.ParseInt(j.Journal, 10, 64); err == nil {
		l.setTime(time.UnixMicro(v), true)
	}
	for _, at := range []string{string(j.Time), string(j.TS), string(j.Timestamp), j.ElasticTime} {
		l.timeIn(strings.Trim(at, `"`))
	}
	k := j.Kubernetes
	if host := cmp.Or(j.Host, k.Host); host != "" {
		l.node = host
	}
	l.namespace, l.pod, l.container = cmp.Or(k.Namespace, l.namespace), cmp.Or(k.Pod, l.pod), cmp.Or(k.Container, l.container)
	l.writer = strings.TrimSpace(strings.Join([]string{l.writer, j.Host, k.Namespace, k.Pod, k.Container}, " "))
	return true
}

// timeIn takes the time that is all of s, if it is one.
func (l *logLine) timeIn(s string) {
	at := logLine{text: s + " "}
	if at.date(at.text) && !at.time.IsZero() && strings.TrimSpace(at.text) == "" {
		l.setTime(at.time, at.zoned)
	}
}

// logfmt reads `time="…" level=info msg="…" key=value`. The text is the message
// and what follows it.
func (l *logLine) logfmt() bool {
	rest := l.text
	for rest != "" {
		key, value, after, ok := nextField(rest)
		if !ok {
			return false
		}
		switch key {
		case "time":
			l.timeIn(value)
		case "msg":
			if call := between(after, " id=", " name=/runtime."); call != "" {
				// CRI-O numbers the requests, which overlap.
				l.writer = strings.TrimSpace(l.writer + " " + call)
			}
			l.text = strings.TrimSpace(value + " " + strings.TrimLeft(after, " "))
			return true
		}
		rest = after
	}
	return false
}

// nextField takes key=value or key="value" off s.
func nextField(s string) (key, value, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	key, s, ok = strings.Cut(s, "=")
	if !ok || key == "" || strings.ContainsAny(key, " \"") {
		return "", "", "", false
	}
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, " ")
		return key, value, rest, true
	}
	end := 1
	for end < len(s) && s[end] != '"' {
		if s[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s) { // cut off
		return key, unescape(s[1:]), "", true
	}
	return key, unescape(s[1:end]), s[end+1:], true
}

// unescape undoes the quoting of Go's %q as far as image names need it.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\/`, `/`, `\n`, " ", `\t`, " ").Replace(s)
}

// keyValues reads where the structured part of a kubelet's line says that it
// belongs: `"Event occurred" object="ci/scan" reason="Pulled" message="…"`.
func (l *logLine) keyValues() {
	for _, key := range []string{` object="`, ` pod="`} {
		if _, rest, ok := strings.Cut(l.text, key); ok {
			object, _, _ := strings.Cut(rest, `"`)
			if namespace, pod, ok := strings.Cut(object, "/"); ok {
				l.namespace, l.pod = namespace, pod
			}
		}
	}
	if _, rest, ok := strings.Cut(l.text, ` message="`); ok {
		_, message, _, _ := nextField(`message="` + rest)
		l.text = message
		return
	}
	// Before structured logging: Event(v1.ObjectReference{Kind:"Pod",
	// Namespace:"ci", Name:"scan", …}): type: 'Normal' reason: 'Pulled' …
	if rest, ok := strings.CutPrefix(l.text, "Event("); ok {
		l.namespace, l.pod = between(rest, `Namespace:"`, `"`), between(rest, ` Name:"`, `"`)
		if _, message, ok := strings.Cut(rest, "reason: "); ok {
			l.text = message
		}
	}
}

// eventRow reads the pod of a row of `kubectl get events`, with -A or without.
func (l *logLine) eventRow() {
	columns := strings.Fields(l.text)
	for i, c := range columns[:min(len(columns), 5)] {
		if pod, ok := strings.CutPrefix(c, "pod/"); ok {
			if l.pod = pod; i == 4 {
				l.namespace = columns[0]
			}
		}
	}
}

// between is the text between the first before in s and the next after.
func between(s, before, after string) string {
	_, s, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	s, _, ok = strings.Cut(s, after)
	if !ok {
		return ""
	}
	return s
}

// accessLog cuts the client and the time off a line in the Common Log Format
// (https://httpd.apache.org/docs/2.4/logs.html#common).
func (l *logLine) accessLog() bool {
	head := l.text[:min(len(l.text), 200)]
	open := strings.Index(head, " [")
	end := strings.Index(head, "] \"")
	if open < 0 || end < open {
		return false
	}
	t, err := time.Parse("02/Jan/2006:15:04:05 -0700", head[open+2:end])
	if err != nil {
		return false
	}
	l.setTime(t, true)
	l.node, _, _ = strings.Cut(head, " ")
	l.writer = l.node
	l.text = l.text[end+2:]
	return true
}

// fractionLen is the number of bytes of ".123" or ",123" that s starts with.
func fractionLen(s string) int {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' || !isDigitByte(s[1]) {
		return 0
	}
	n := 1
	for n < len(s) && isDigitByte(s[n]) {
		n++
	}
	return n
}

// nanoseconds is the value of a fraction as fractionLen found it.
func nanoseconds(fraction string) time.Duration {
	if fraction == "" {
		return 0
	}
	digits := (fraction[1:] + "000000000")[:9]
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}

// zoneOf is the offset from UTC that s starts with ("Z", "+02:00", " +0200",
// " UTC") and its length in bytes.
func zoneOf(s string) (offset time.Duration, n int, ok bool) {
	switch {
	case strings.HasPrefix(s, "Z"):
		return 0, 1, true
	case strings.HasPrefix(s, " UTC"):
		return 0, 4, true
	}
	at := 0
	if strings.HasPrefix(s, " ") {
		at = 1
	}
	for _, layout := range []string{"-07:00", "-0700"} {
		if len(s) < at+len(layout) || s[at] != '+' && s[at] != '-' {
			continue
		}
		t, err := time.Parse(layout, s[at:at+len(layout)])
		if err != nil {
			continue
		}
		_, seconds := t.Zone()
		n := at + len(layout)
		if strings.HasPrefix(s[n:], " UTC") { // as Go prints times
			n += len(" UTC")
		}
		return time.Duration(seconds) * time.Second, n, true
	}
	return 0, 0, false
}

func isDigitByte(c byte) bool { return c >= '0' && c <= '9' }

func isHexByte(c byte) bool { return isDigitByte(c) || c >= 'a' && c <= 'f' }

// plainText is line without the escape sequences of terminals and other control
// characters.
func plainText(line []byte) string {
	if bytes.IndexByte(line, 0x1b) < 0 && bytes.IndexFunc(line, isControl) < 0 {
		return string(line)
	}
	out := make([]byte, 0, len(line))
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == 0x1b:
			i += escapeLen(line[i:]) - 1
		case c == '\t' || c >= ' ' && c != 0x7f:
			out = append(out, c)
		}
	}
	return string(out)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// escapeLen is the length of the escape sequence that s starts with: CSI up to
// its final byte, OSC up to BEL or ST, anything else two bytes
// (https://ecma-international.org/publications-and-standards/standards/ecma-48/).
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']':
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}
