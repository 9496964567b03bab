package source

import (
	"strings"
	"testing"
)

// TestHashLines holds the hashes against those that GitHub publishes
// (https://github.com/github/codeql-action/blob/main/src/fingerprints.test.ts).
func TestHashLines(t *testing.T) {
	greetings := func(ends ...string) string {
		var b strings.Builder
		for i, line := range []string{" hello; \t", "world!!!", "", "", "  \t\tGreetings", " End", ""} {
			b.WriteString(line)
			if i < len(ends) {
				b.WriteString(ends[i])
			}
		}
		return b.String()
	}
	const ended = "e9496ae3ebfced30:1 fb7c023a8b9ccb3f:1 ce8ba1a563dcdaca:1 e20e36e16fcb0cc8:1 b3edc88f2938467e:1 c8e28b0b4002a3a0:1 c129715d7a2bc9a3:1"
	for _, test := range []struct{ name, data, want string }{
		{"empty", "", "c129715d7a2bc9a3:1"},
		{"short", " a\nb\n  \t\tc\n d", "271789c17abda88f:1 54703d4cd895b18:1 180aee12dab6264:1 a23a3dc5e078b07b:1"},
		{
			"no last newline", greetings("\n", "\n", "\n", "\n", "\n"),
			"8b7cf3e952e7aeb2:1 b1ae1287ec4718d9:1 bff680108adb0fcc:1 c6805c5e1288b612:1 b86d3392aea1be30:1 e6ceba753e1a442:1",
		},
		{"LF", greetings("\n", "\n", "\n", "\n", "\n", "\n"), ended},
		{"CR", greetings("\n", "\r", "\r", "\r", "\r", "\r"), ended},
		{"CRLF", greetings("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n"), ended},
		{"mixed", greetings("\n", "\r\n", "\n", "\r", "\r", "\r\n"), ended},
		{
			"repeated", strings.Repeat("Lorem ipsum dolor sit amet.\n", 10),
			"a7f2ff13bc495cf2:1 a7f2ff13bc495cf2:2 a7f2ff13bc495cf2:3 a7f2ff13bc495cf2:4 a7f2ff13bc495cf2:5 a7f2ff13bc495cf2:6 " +
				"a7f2ff1481e87703:1 a9cf91f7bbf1862b:1 55ec222b86bcae53:1 cc97dc7b1d7d8f7b:1 c129715d7a2bc9a3:1",
		},
		{
			"statements", "x = 2\nx = 1\nprint(x)\nx = 3\nprint(x)\nx = 4\nprint(x)\n",
			"e54938cc54b302f1:1 bb609acbe9138d60:1 1131fd5871777f34:1 5c482a0f8b35ea28:1 54517377da7028d2:1 2c644846cb18d53e:1 f1b89f20de0d133:1 c129715d7a2bc9a3:1",
		},
	} {
		hashes, _ := hashLines([]byte(test.data))
		var got []string
		for _, h := range hashes {
			got = append(got, h.String())
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// TestLineHash is about lines as [File.Line] counts them.
func TestLineHash(t *testing.T) {
	f := &File{Data: []byte("a\rb\n\r \nc\r\nd")}
	for line, from := range map[int]string{1: "a\rb\n\r \nc\r\nd", 2: "\r \nc\r\nd", 3: "c\r\nd", 4: "d"} {
		hashes, _ := hashLines([]byte(from))
		if got, want := f.LineHash(line), hashes[0].String(); got != want {
			t.Errorf("line %d: got %s, want %s", line, got, want)
		}
	}
	for _, line := range []int{-1, 0, 5} {
		if got := f.LineHash(line); got != "" {
			t.Errorf("line %d, which there is not: %s", line, got)
		}
	}
	if got := (&File{Data: make([]byte, maxHashed+1)}).LineHash(1); got != "" {
		t.Errorf("a huge file is hashed: %s", got)
	}
	pair := &File{Data: []byte("\U0001f642")}
	if got, want := pair.LineHash(1), hashOf(0xd83d, 0xde42, 0xffff); got != want {
		t.Errorf("a surrogate pair: got %s, want %s", got, want)
	}
	if stray := (&File{Data: []byte("\xff")}).LineHash(1); stray != hashOf(0xfffd, 0xffff) {
		t.Errorf("a stray byte: %s", stray)
	}
}

func hashOf(units ...uint16) string { return lineHash{hashUnitsFrom(units, 0), 1}.String() }

func FuzzLineHash(f *testing.F) {
	f.Add([]byte("a\r\n\tb\r\rc \r \n\xff\U0001f642"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := &File{Data: data}
		seen := map[string]bool{}
		for line := 1; line <= file.Lines(); line++ {
			h := file.LineHash(line)
			if h == "" || seen[h] {
				t.Fatalf("line %d of %q has the hash %q", line, data, h)
			}
			seen[h] = true
		}
	})
}
