package exposure

import (
	"testing"
	"time"
)

func TestLogLineTimes(t *testing.T) {
	const utc, none = true, false
	for _, test := range []struct {
		line, time string
		zoned      bool
		text       string
	}{
		{"2026-04-22T12:35:01.1234567Z x y", "2026-04-22T12:35:01.1234567Z", utc, "x y"},
		{"\ufeff2026-04-22T12:35:01.1234567Z x y", "2026-04-22T12:35:01.1234567Z", utc, "x y"},
		{"2026-04-22T12:35:01.123456Z 00O x", "2026-04-22T12:35:01.123456Z", utc, "x"},
		{"2026-04-22T12:35:01.123456Z 01E+x", "2026-04-22T12:35:01.123456Z", utc, "x"},
		{"[2026-04-22T12:35:01.123Z] + docker pull x", "2026-04-22T12:35:01.123Z", utc, "+ docker pull x"},
		{"2026-04-22T14:35:01+02:00 x", "2026-04-22T12:35:01Z", utc, "x"},
		{"2026-04-22T14:35:01+0200 node7 dockerd[1]: x", "2026-04-22T12:35:01Z", utc, "x"},
		{"2026-04-22 14:35:01,250 +0200 x", "2026-04-22T12:35:01.25Z", utc, "x"},
		{"2026-04-22 12:35:01.5 +0000 UTC x", "2026-04-22T12:35:01.5Z", utc, "x"},
		{"2026-04-22 12:35:01 x", "2026-04-22T12:35:01Z", none, "x"},
		{"2026/04/22 12:35:01 x", "2026-04-22T12:35:01Z", none, "x"},
		{"[2026-04-22 12:35:01] x", "2026-04-22T12:35:01Z", none, "x"},
		{"1776861301 x", "2026-04-22T12:35:01Z", utc, "x"},
		{"1776861301.5 x", "2026-04-22T12:35:01Z", utc, "x"},
		{"1776861301000 x", "2026-04-22T12:35:01Z", utc, "x"},
		{"12:35:01 x", "", none, "x"},
		{"[12:35:01] x", "", none, "x"},
		{"00:00:01.123 x", "", none, "x"},
		{`time="2026-04-22T12:35:01Z" level=info msg="a \"b\"" c=d`, "2026-04-22T12:35:01Z", utc, `a "b" c=d`},
		{`time="2026-04-22 12:35:01.5" level=info msg=x`, "2026-04-22T12:35:01.5Z", none, "x"},
		{"DEBU[2026-04-22T12:35:01.5Z] x", "2026-04-22T12:35:01.5Z", utc, "x"},
		{"INFO[0001] x", "", none, "x"},
		{`{"log":"x\n","time":"2026-04-22T12:35:01.5Z"}`, "2026-04-22T12:35:01.5Z", utc, "x"},
		{`{"msg":"x","ts":1776861301}`, "2026-04-22T12:35:01Z", utc, "x"},
		{`{"level":"info","ts":"2026-04-22T12:35:01Z","msg":"x","status":200}`, "2026-04-22T12:35:01Z", utc, "x"},
		{`{"@timestamp":"2026-04-22T12:35:01Z","message":"x"}`, "2026-04-22T12:35:01Z", utc, "x"},
		{`10.0.0.7 - - [22/Apr/2026:14:35:01 +0200] "GET / HTTP/1.1" 200 7`, "2026-04-22T12:35:01Z", utc, `"GET / HTTP/1.1" 200 7`},
		{"2026-04-22T12:35:01Z stdout F 2026-04-22T12:35:02Z x", "2026-04-22T12:35:01Z", utc, "x"},
		// The time with a zone is the better one.
		{`2026-04-22 14:35:01 time="2026-04-22T12:35:01Z" msg=x`, "2026-04-22T12:35:01Z", utc, "x"},
		// No times.
		{"2026-13-45T99:99:99Z x", "", none, "2026-13-45T99:99:99Z x"},
		{"1234567890123456 x", "", none, "1234567890123456 x"},
		{"12:99:01 x", "", none, "12:99:01 x"},
		{"[x] y", "", none, "y"},
		{"{\"log\":", "", none, "{\"log\":"},
		{"", "", none, ""},
	} {
		l := parseLogLine([]byte(test.line))
		got := ""
		if !l.time.IsZero() {
			got = l.time.Format(time.RFC3339Nano)
		}
		if got != test.time || l.zoned != test.zoned || l.text != test.text {
			t.Errorf("%q:\ngot  %s %v %q\nwant %s %v %q", test.line, got, l.zoned, l.text, test.time, test.zoned, test.text)
		}
	}
}

func TestLogLineYears(t *testing.T) {
	day := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct{ line, neighbour, changed, want string }{
		{"I0422 12:35:01.000000       7 a.go:1] x", "", "2026-04-23", "2026-04-22"},
		{"I0422 12:35:01.000000       7 a.go:1] x", "", "2026-04-22", "2026-04-22"},
		{"I0422 12:35:01.000000       7 a.go:1] x", "", "2026-04-20", "2025-04-22"},
		{"Apr 22 12:35:01 node7 kubelet[1]: x", "", "2027-01-05", "2026-04-22"},
		{"Dec 31 23:35:01 node7 kubelet[1]: x", "2027-01-01", "", "2026-12-31"},
		{"Jan  1 00:35:01 node7 kubelet[1]: x", "2026-12-31", "2030-01-01", "2027-01-01"},
		{"Apr 22 12:35:01 node7 kubelet[1]: x", "", "", ""},
	} {
		l := parseLogLine([]byte(test.line))
		l.complete(day(test.neighbour), day(test.changed))
		got := ""
		if !l.time.IsZero() {
			got = l.time.Format(time.DateOnly)
		}
		if got != test.want || l.text != "x" {
			t.Errorf("%q near %q, changed %q: got %q with %q, want %q", test.line, test.neighbour, test.changed, got, l.text, test.want)
		}
	}
}

func TestLogLineWriters(t *testing.T) {
	for _, test := range []struct {
		line string
		want logLine
	}{
		{"[scan] + x", logLine{writer: "scan", text: "+ x"}},
		{"[ci/scan]   | + x", logLine{writer: "ci/scan", text: "+ x"}},
		{"web-1  | x", logLine{writer: "web-1", text: "x"}},
		{"a | b", logLine{writer: "a", text: "b"}},
		{"echo x | y", logLine{text: "echo x | y"}},
		{"[Pipeline] sh", logLine{text: "[Pipeline] sh"}},
		{"Step #1: x", logLine{step: "Step #1", writer: "Step #1", text: "x"}},
		{`Step #2 - "scan": x`, logLine{step: `Step #2 - "scan"`, writer: `Step #2 - "scan"`, text: "x"}},
		{`{"log":"x","kubernetes":{"namespace_name":"ci","pod_name":"p","container_name":"c","host":"n"}}`, logLine{writer: "ci p c", node: "n", namespace: "ci", pod: "p", container: "c", text: "x"}},
		{`{"_HOSTNAME":"n","MESSAGE":"x"}`, logLine{writer: "n", node: "n", text: "x"}},
		{"\x1b[36;1mdocker pull x\x1b[0m", logLine{script: true, text: "docker pull x"}},
		{"\x1b]0;title\x07a\x08b\x1b[1;31mc\x1b[K", logLine{text: "abc"}},
		{"a\x1b", logLine{text: "a"}},
		{"a\x1b[", logLine{text: "a"}},
	} {
		if got := parseLogLine([]byte(test.line)); got != test.want {
			t.Errorf("%q:\ngot  %+v\nwant %+v", test.line, got, test.want)
		}
	}
}

func TestLogPath(t *testing.T) {
	for name, want := range map[string]logLine{
		"logs.zip/build/3_Run scan.txt":                            {job: "build", step: "Run scan"},
		"build/12_Post job.txt":                                    {job: "build", step: "Post job"},
		"logs.zip/0_build.txt":                                     {job: "build"},
		"0_build.txt":                                              {job: "build"},
		"jobs/scan/builds/12/log":                                  {job: "scan #12"},
		"/var/log/pods/ci_scan-7x_0040-ad/scan/0.log":              {namespace: "ci", pod: "scan-7x", container: "scan"},
		"/var/log/containers/scan-7x_ci_scan-0123456789abcdef.log": {namespace: "ci", pod: "scan-7x", container: "scan"},
		"/var/log/syslog":                                          {},
		"x_build.txt":                                              {},
		"3_.txt":                                                   {},
		"3_build.log":                                              {},
		"jobs/x":                                                   {},
		"pods/x/y":                                                 {},
		"":                                                         {},
	} {
		if got := logPath(name); got != want {
			t.Errorf("%q: got %+v, want %+v", name, got, want)
		}
	}
}
