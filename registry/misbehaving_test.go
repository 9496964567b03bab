package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	manifestType = string(types.OCIManifestSchema1)
	indexType    = string(types.OCIImageIndex)
	schema1Type  = string(types.DockerManifestSchema1Signed)
)

// manifest and index are small valid ones.
var (
	config   = hash("sha256", []byte("config"))
	manifest = fmt.Sprintf(`{"schemaVersion": 2, "mediaType": %q, "config": {"digest": %q, "size": 6}, "layers": []}`, manifestType, config)
	index    = fmt.Sprintf(`{"schemaVersion": 2, "manifests": [{"mediaType": %q, "digest": %q, "size": 1}]}`, manifestType, hash("sha256", []byte(manifest)))
)

// api answers at the API root and leaves manifests to h.
func api(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			h(w, r)
		}
	})
}

// give answers with a body of the type, and the digest unless it is empty.
func give(w http.ResponseWriter, mediaType, digest, body string) {
	w.Header().Set("Content-Type", mediaType)
	if digest != "" {
		w.Header().Set("Docker-Content-Digest", digest)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	fmt.Fprint(w, body)
}

// good answers with manifest.
func good(w http.ResponseWriter, _ *http.Request) {
	give(w, manifestType, hash("sha256", []byte(manifest)), manifest)
}

// bad answers the first n requests with h, and then well.
func bad(n int, h http.HandlerFunc) http.Handler {
	turns := make(chan struct{}, n)
	for range n {
		turns <- struct{}{}
	}
	return api(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-turns:
			h(w, r)
		default:
			good(w, r)
		}
	})
}

const always = 1000

func status(code int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	}
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func seconds(s ...float64) []time.Duration {
	var d []time.Duration
	for _, x := range s {
		d = append(d, time.Duration(x*float64(time.Second)))
	}
	return d
}

func TestRepeat(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, test := range []struct {
		name    string
		times   int
		h       http.HandlerFunc
		options Options
		naps    []time.Duration
		kind    Kind
		text    string // of the error; empty for success
	}{
		{"429 with seconds", 1, status(429, "7"), Options{}, seconds(7), 0, ""},
		{"429 with a date", 1, status(429, date(30*time.Second)), Options{}, seconds(30), 0, ""},
		{"429 with a date in the past", 1, status(429, date(-time.Hour)), Options{}, seconds(0.5), 0, ""},
		{"429 with nonsense", 1, status(429, "soon"), Options{}, seconds(0.5), 0, ""},
		{"429 with a negative number", 1, status(429, "-5"), Options{}, seconds(0.5), 0, ""},
		{"429 with too long a pause", 1, status(429, "3600"), Options{}, nil, RateLimited, "429 Too Many Requests, with a pause of 1h0m0s asked for"},
		{"429 with a long pause allowed", 1, status(429, "3600"), Options{MaxWait: 2 * time.Hour}, seconds(3600), 0, ""},
		{"429 forever", always, status(429, ""), Options{}, seconds(0.5, 1, 2), RateLimited, "429 Too Many Requests"},
		{"500 forever", always, status(500, ""), Options{}, seconds(0.5, 1, 2), Server, "500 Internal Server Error"},
		{"500 always, five repetitions", always, status(500, ""), Options{Retries: 5, MaxWait: 4 * time.Second}, seconds(0.5, 1, 2, 2, 2), Server, "500 Internal Server Error"},
		{"500 always, no repetition", always, status(500, ""), Options{Retries: -1}, nil, Server, "500 Internal Server Error"},
		{"502 twice", 2, status(502, ""), Options{}, seconds(0.5, 1), 0, ""},
		{"503 with seconds", 1, status(503, "3"), Options{}, seconds(3), 0, ""},
		{"504 thrice", 3, status(504, ""), Options{}, seconds(0.5, 1, 2), 0, ""},
		{"501", always, status(501, ""), Options{}, nil, Server, "501 Not Implemented"},
		{"599", always, status(599, ""), Options{}, nil, Server, "status 599"},
		{"400", always, status(400, ""), Options{}, nil, Invalid, "400 Bad Request"},
		{"204", always, status(204, ""), Options{}, nil, Invalid, "204 No Content"},
		{"401", always, status(401, ""), Options{}, nil, Unauthorized, "401 Unauthorized"},
		{"403", always, status(403, ""), Options{}, nil, Unauthorized, "403 Forbidden"},
		{"dropped forever", always, drop, Options{}, seconds(0.5, 1, 2), Unreachable, "the connection broke before the answer was complete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, bad(test.times, test.h))
			c, naps := newClient(test.options)
			naps.clock = now
			got, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
			if test.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				if want := hash("sha256", []byte(manifest)); got.Digest != want {
					t.Errorf("digest is %s, want %s", got.Digest, want)
				}
			} else if e := asError(t, err, test.kind); e.Err.Error() != test.text {
				t.Errorf("error is %q, want %q", e.Err, test.text)
			}
			if !reflect.DeepEqual(naps.taken, test.naps) {
				t.Errorf("pauses are %v, want %v", naps.taken, test.naps)
			}
			if err != nil && test.kind != Unreachable {
				if n := s.total("HEAD "); n != len(test.naps)+1 {
					t.Errorf("%d requests, want %d", n, len(test.naps)+1)
				}
			}
		})
	}
}

// A dropped connection is repeated; the standard library may do so first.
func TestDroppedOnce(t *testing.T) {
	s := serve(t, bad(1, drop))
	c, _ := newClient(Options{})
	if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
		t.Error(err)
	}
}

// The API root and the token server are asked again too.
func TestRepeatHandshake(t *testing.T) {
	for path, text := range map[string]string{
		"/v2/":   "503 Service Unavailable at its API root",
		"/token": "503 Service Unavailable from its token server",
	} {
		for _, failures := range []int{1, always} {
			tokens := &tokenRegistry{}
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == path && failures > 0 {
					failures--
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				tokens.ServeHTTP(w, r)
			}))
			c, naps := newClient(Options{})
			_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
			if failures == 0 {
				if err != nil || !reflect.DeepEqual(naps.taken, seconds(0.5)) {
					t.Errorf("%s: error %v, pauses %v", path, err, naps.taken)
				}
				continue
			}
			if e := asError(t, err, Server); e.Err.Error() != text {
				t.Errorf("error is %q, want %q", e.Err, text)
			}
			// Found out once for all that the failure concerns.
			before := s.total("")
			_, err = c.Resolve(context.Background(), parse(t, "%s/app:2", s.host()))
			asError(t, err, Server)
			if n := s.total("") - before; n != 0 {
				t.Errorf("%s: %d more requests", path, n)
			}
		}
	}
}

// A host that has answered 429 to the end is left alone.
func TestRateLimitedHost(t *testing.T) {
	s := serve(t, bad(always, status(429, "1")))
	c, _ := newClient(Options{})
	_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
	e := asError(t, err, RateLimited)
	if !strings.Contains(e.Hint(), "docker login "+s.host()) {
		t.Errorf("hint is %q", e.Hint())
	}
	before := s.total("")
	_, err = c.Resolve(context.Background(), parse(t, "%s/app:2", s.host()))
	asError(t, err, RateLimited)
	if n := s.total("") - before; n != 0 {
		t.Errorf("%d more requests", n)
	}
	// Another failing status says nothing about the next reference.
	s = serve(t, bad(always, status(500, "")))
	for i := range 2 {
		_, err := c.Resolve(context.Background(), parse(t, "%s/app:%d", s.host(), i))
		asError(t, err, Server)
	}
	if n := s.total("HEAD "); n != 8 {
		t.Errorf("%d requests, want 8", n)
	}
}

func TestDigestHeader(t *testing.T) {
	right, other := hash("sha256", []byte(manifest)), hash("sha256", []byte("other"))
	const conflict = "a manifest with the digest"
	for _, test := range []struct {
		name     string
		headType string
		head     string // Docker-Content-Digest of the HEAD
		getType  string
		get      string // and of the GET
		body     string
		want     string // digest
		err      string // or a part of the error
		gets     int
	}{
		{"right", manifestType, right, "", "", "", right, "", 0},
		{"type with parameter", manifestType + "; charset=utf-8", right, "", "", "", right, "", 0},
		{"missing", manifestType, "", manifestType, "", manifest, right, "", 1},
		{"missing in HEAD", manifestType, "", manifestType, right, manifest, right, "", 1},
		{"missing, wrong in GET", manifestType, "", manifestType, other, manifest, "", conflict, 1},
		{"too short", manifestType, "sha256:1234", manifestType, "", manifest, right, "", 1},
		{"upper case", manifestType, strings.ToUpper(right), manifestType, "", manifest, right, "", 1},
		{"unknown algorithm", manifestType, "md5:d41d8cd98f00b204e9800998ecf8427e", manifestType, "", manifest, right, "", 1},
		{"malformed in both", manifestType, "x", manifestType, "sha256:", manifest, right, "", 1},
		{"type missing", "", right, "", right, manifest, right, "", 1},
		{"type of JSON", "application/json", right, "application/json", "", manifest, right, "", 1},
		{"type of JSON, wrong in HEAD", "application/json", other, "application/json", right, manifest, "", conflict, 1},
		{"type of JSON, wrong in GET", "application/json", right, "application/json", other, manifest, "", conflict, 1},
		{"sha512", manifestType, hash("sha512", []byte(manifest)), "", "", "", hash("sha512", []byte(manifest)), "", 0},
		{"sha512 in GET", manifestType, "", manifestType, hash("sha512", []byte(manifest)), manifest, hash("sha512", []byte(manifest)), "", 1},
		{"wrong sha384 in GET", manifestType, "", manifestType, hash("sha384", []byte("other")), manifest, "", conflict, 1},
		{"index by shape", "text/plain", "", "text/plain", "", index, hash("sha256", []byte(index)), "", 1},
		{"HTML", "text/html", "", "text/html; charset=utf-8", "", "<html>login</html>", "", "an HTML page", 1},
		{"HTML that claims a digest", "text/html", right, "text/html", right, "<html>login</html>", "", "an HTML page", 1},
		{"HTML without a type", "", "", "", "", "<html>login</html>", "", "not an image manifest", 1},
		{"HTML as a manifest", manifestType, "", manifestType, "", "<html>login</html>", "", "not an image manifest", 1},
		{"JSON of another kind", manifestType, "", manifestType, "", `{"login": "please"}`, "", "not an image manifest", 1},
		{"JSON array", manifestType, "", manifestType, "", `[]`, "", "not an image manifest", 1},
		{"empty", manifestType, "", manifestType, "", "", "", "not an image manifest", 1},
		{"artifact", "application/json", "", "application/json", "", `{"mediaType": "application/x", "config": {}}`, "", "not an image manifest", 1},
		{"two types", "", "", indexType, "", manifest, "", "different types", 1},
		{"two shapes", "", "", indexType, "", `{"manifests": [], "config": {}}`, "", "an index and an image at once", 1},
		{"bad child", "", "", indexType, "", `{"manifests": [{"digest": "sha256:1"}]}`, "", "without a valid digest", 1},
		{"schema 1 said by GET alone", "", "", "", "", `{"mediaType": "` + schema1Type + `"}`, "", "schema 1", 1},
		{"bad config", "", "", manifestType, "", `{"config": {"digest": "sha256:1"}}`, "", "without a valid digest", 1},
		{"schema 1", schema1Type, right, "", "", "", "", "schema 1", 0},
		{"schema 1 in GET", "", right, schema1Type, right, manifest, "", "schema 1", 1},
		{"schema 1 by shape", "", "", "application/json", "", `{"fsLayers": []}`, "", "schema 1", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					give(w, test.headType, test.head, manifest)
				} else {
					give(w, test.getType, test.get, test.body)
				}
			}))
			c, naps := newClient(Options{})
			got, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
			if test.err != "" {
				if e := asError(t, err, Invalid); !strings.Contains(e.Error(), test.err) {
					t.Errorf("error is %q, want %q", e, test.err)
				}
				if got != (Manifest{}) {
					t.Errorf("got %+v with an error", got)
				}
			} else if err != nil {
				t.Error(err)
			} else if got.Digest != test.want {
				t.Errorf("digest is %s, want %s", got.Digest, test.want)
			}
			if n := s.total("GET /v2/app/"); n != test.gets {
				t.Errorf("%d manifests read, want %d", n, test.gets)
			}
			if len(naps.taken) != 0 {
				t.Errorf("asked again")
			}
		})
	}
}

func TestMediaTypeComputed(t *testing.T) {
	for body, want := range map[string]Manifest{
		manifest: {Digest: hash("sha256", []byte(manifest)), MediaType: manifestType, Size: int64(len(manifest))},
		index:    {Digest: hash("sha256", []byte(index)), MediaType: indexType, Index: true, Size: int64(len(index))},
	} {
		s := serve(t, api(func(w http.ResponseWriter, r *http.Request) { give(w, "application/json", "", body) }))
		c, _ := newClient(Options{})
		got, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

// Asked for a digest, a registry must answer with that digest.
func TestOtherDigest(t *testing.T) {
	asked := hash("sha256", []byte("asked"))
	for _, header := range []string{hash("sha256", []byte(manifest)), asked, ""} {
		s := serve(t, api(func(w http.ResponseWriter, r *http.Request) { give(w, manifestType, header, manifest) }))
		c, _ := newClient(Options{})
		if header != asked { // else only the bytes tell
			_, err := c.Resolve(context.Background(), parse(t, "%s/app@%s", s.host(), asked))
			asError(t, err, Invalid)
		}
		_, err := c.Children(context.Background(), parse(t, "%s/app", s.host()), asked)
		if e := asError(t, err, Invalid); !strings.HasSuffix(e.Error(), "instead of "+asked) {
			t.Errorf("error is %q", e)
		}
	}
}

func TestChildrenSHA512(t *testing.T) {
	s := serve(t, api(good))
	c, _ := newClient(Options{})
	got, err := c.Children(context.Background(), parse(t, "%s/app", s.host()), hash("sha512", []byte(manifest)))
	if err != nil || len(got) != 1 || got[0].Digest != config {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestHugeBody(t *testing.T) {
	for name, length := range map[string]string{"announced": fmt.Sprint(maxBody + 1), "endless": ""} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				if r.Method == http.MethodHead {
					return
				}
				chunk := []byte(strings.Repeat(" ", 1<<16))
				for {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			}))
			c, naps := newClient(Options{})
			_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
			if e := asError(t, err, Invalid); !strings.HasSuffix(e.Error(), "an answer of more than 8388608 bytes") {
				t.Errorf("error is %q", e)
			}
			if len(naps.taken) > 0 {
				t.Error("asked again")
			}
		})
	}
}

// stall sends what it has and then nothing until the client goes away.
func stall(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// byteASecond sends body, which takes a long time.
func byteASecond(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", manifestType)
		for i := range len(body) {
			select {
			case <-time.After(time.Second):
				fmt.Fprint(w, body[i:i+1])
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestSlow(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"header":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"byte a second": byteASecond(manifest),
		"body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", manifestType)
			fmt.Fprint(w, manifest[:10])
			stall(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, api(h))
			c, naps := newClient(Options{Retries: 1})
			// The API root must answer in time even on a busy machine.
			if _, err := c.endpoint(context.Background(), s.host()); err != nil {
				t.Fatal(err)
			}
			c.wire.timeout = 20 * time.Millisecond
			_, err := c.Read(context.Background(), parse(t, "%s/app:1", s.host()))
			e := asError(t, err, Timeout)
			if !strings.HasSuffix(e.Error(), "no complete answer within 20ms") || e.Hint() != "try again later" {
				t.Errorf("error is %q, hint %q", e, e.Hint())
			}
			if n := s.total("GET /v2/app/"); n != 2 || len(naps.taken) != 1 {
				t.Errorf("%d requests, pauses %v", n, naps.taken)
			}
		})
	}
}

// What a reading of the manifest can meet. None of it becomes an image, takes
// more than some requests, or hangs.
func TestReadMisbehaving(t *testing.T) {
	right := hash("sha256", []byte(manifest))
	encoded := func(coding string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", coding)
			give(w, manifestType, right, manifest)
		}
	}
	for _, test := range []struct {
		name     string
		h        http.HandlerFunc
		kind     Kind
		text     string
		hint     string
		requests int
	}{
		{"gzip", encoded("gzip"), Invalid, "a compressed answer, which was not asked for", "a proxy that compresses", 1},
		{"wrong digest", func(w http.ResponseWriter, _ *http.Request) { give(w, manifestType, config, manifest) }, Invalid, "a manifest with the digest " + right + " instead of " + config, "", 1},
		{"login page", func(w http.ResponseWriter, _ *http.Request) {
			give(w, "text/html; charset=utf-8", right, "<html>log in</html>")
		}, Invalid, "the answer is an HTML page, not a manifest", "a login page", 1},
		{"login page behind a redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				give(w, "text/html", "", "<html>log in</html>")
				return
			}
			http.Redirect(w, r, "/login", http.StatusFound)
		}, Invalid, "the answer is an HTML page, not a manifest", "a login page", 2},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, Invalid, "redirected without end", "", 1 + maxRedirects},
		{"redirects ever deeper", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"/x", http.StatusTemporaryRedirect)
		}, Invalid, "redirected without end", "", 1 + maxRedirects},
		{"redirect to nowhere", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, Invalid, "307 Temporary Redirect", "", 1},
		{"schema 1", func(w http.ResponseWriter, _ *http.Request) {
			give(w, schema1Type, "", `{"schemaVersion": 1, "fsLayers": []}`)
		}, Invalid, "a schema 1 manifest, whose digest can't be pinned", "push the image again", 1},
		{"shorter than said", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(manifest)))
			fmt.Fprint(w, manifest[:20])
		}, Unreachable, "the connection broke before the answer was complete", "check the name", 4},
		{"dropped in a chunk", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, manifest[:20])
			w.(http.Flusher).Flush()
			drop(w, r)
		}, Unreachable, "the connection broke before the answer was complete", "check the name", 4},
		{"endless error page", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, Invalid, "an answer of more than 8388608 bytes", "", 1},
		{"endless header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<17))
			good(w, nil)
		}, Invalid, "the answer is not one of a registry", "", 1},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "SSH-2.0-OpenSSH_9.6\r\n")
			conn.Close()
		}, Invalid, "the answer is not one of a registry", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, api(test.h))
			c, _ := newClient(Options{})
			got, err := c.Read(context.Background(), parse(t, "%s/app:1", s.host()))
			e := asError(t, err, test.kind)
			if e.Err.Error() != test.text {
				t.Errorf("error is %q, want %q", e.Err, test.text)
			}
			if !strings.Contains(e.Hint(), test.hint) || test.hint == "" && e.Hint() != "" {
				t.Errorf("hint is %q, want %q", e.Hint(), test.hint)
			}
			if got.Digest != "" || got.Children != nil {
				t.Errorf("got %+v", got)
			}
			if n := s.total("") - s.total("GET /v2/ "); n > test.requests+2 { // and both forms of the API root
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

// Over HTTP/2, where the standard library has errors of its own, a broken
// answer is one that is asked for again too.
func TestDroppedHTTP2(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"before the answer": drop,
		"in the answer": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, manifest[:20])
			w.(http.Flusher).Flush()
			drop(w, r)
		},
	} {
		for _, times := range []int{1, always} {
			t.Run(fmt.Sprintf("%s, %d times", name, times), func(t *testing.T) {
				s := start(t, bad(times, h), func(s *httptest.Server) {
					s.EnableHTTP2 = true
					s.StartTLS()
				})
				roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				c, naps := newClient(Options{RootCAs: roots})
				_, err := c.Read(context.Background(), parse(t, "%s/app:1", s.Listener.Addr()))
				if times == 1 {
					if err != nil || len(naps.taken) != 1 {
						t.Errorf("error %v, pauses %v", err, naps.taken)
					}
					return
				}
				if e := asError(t, err, Unreachable); e.Err.Error() != "the connection broke before the answer was complete" || len(naps.taken) != defaultRetries {
					t.Errorf("error is %q, pauses %v", e.Err, naps.taken)
				}
			})
		}
	}
}

// An answer that is said to be coded as it is may be used.
func TestIdentity(t *testing.T) {
	s := serve(t, api(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "identity")
		good(w, r)
	}))
	c, _ := newClient(Options{})
	if _, err := c.Read(context.Background(), parse(t, "%s/app:1", s.host())); err != nil {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(s.URL, "http://")
	s.Close()
	c, naps := newClient(Options{})
	_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host))
	e := asError(t, err, Unreachable)
	if !strings.Contains(e.Error(), "connection refused") {
		t.Errorf("error is %q", e)
	}
	if e.Hint() == "" {
		t.Error("no hint")
	}
	if len(naps.taken) > 0 {
		t.Error("asked again")
	}
}

func TestNoRegistry(t *testing.T) {
	s := serve(t, http.NotFoundHandler())
	c, _ := newClient(Options{})
	_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", s.host()))
	if e := asError(t, err, Invalid); !strings.HasSuffix(e.Error(), "404 Not Found at its API root") {
		t.Errorf("error is %q", e)
	}
}

func TestCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(api(good))
	s.Config.ErrorLog = serve(t, http.NotFoundHandler()).Config.ErrorLog
	s.StartTLS()
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")

	c, _ := newClient(Options{})
	_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host))
	if e := asError(t, err, Unreachable); !strings.Contains(e.Error(), "certificate") || !strings.Contains(e.Hint(), "not trusted") {
		t.Errorf("error is %q, hint %q", e, e.Hint())
	}
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c, _ = newClient(Options{RootCAs: roots})
	if _, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host)); err != nil {
		t.Error(err)
	}
}

func TestProxyRefuses(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	address := &url.URL{Scheme: "http", Host: s.host(), User: url.UserPassword("me", "proxy-password")}
	proxy := newTransport(Options{}, nil, nil, http.ProxyURL(address))
	c, _ := newClient(Options{Transport: proxy})
	_, err := c.Resolve(context.Background(), parse(t, "registry.test/app:1"))
	if e := asError(t, err, Unreachable); !strings.HasSuffix(e.Error(), "the proxy answered 407 Proxy Authentication Required") {
		t.Errorf("error is %q", e)
	}
	noSecrets(t, err, "proxy-password")
}

// Causes that no server on this machine can make.
func TestNetworkErrors(t *testing.T) {
	for _, test := range []struct {
		err   error
		text  string
		hint  string
		again bool
	}{
		{&net.DNSError{Err: "no such host", Name: "registry.test", IsNotFound: true}, "lookup registry.test: no such host", "check the name", false},
		{&net.DNSError{Err: "server misbehaving", Name: "registry.test", IsTemporary: true}, "lookup registry.test: server misbehaving", "check the name", true},
		{&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}, "dial tcp: network is unreachable", "check the name", false},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, "read tcp: connection reset by peer", "check the name", true},
		{&url.Error{Op: "Get", URL: "https://me:x@registry.test", Err: io.EOF}, "the connection broke before the answer was complete", "check the name", true},
		{http.ErrSchemeMismatch, "the host speaks plain HTTP only", "list it as insecure", false},
	} {
		e := newError("resolve", parse(t, "registry.test/app"), fmt.Errorf("wrapped: %w", test.err))
		if e.Kind != Unreachable || e.Err.Error() != test.text || !strings.Contains(e.Hint(), test.hint) {
			t.Errorf("%v: kind %v, error %q, hint %q", test.err, e.Kind, e.Err, e.Hint())
		}
		if got := transient(test.err); got != test.again {
			t.Errorf("%v: transient is %v", test.err, got)
		}
	}
}

func TestErrorIsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c, _ := newClient(Options{Transport: noNetwork{t}})
	_, err := c.Resolve(ctx, parse(t, "nginx"))
	asError(t, err, Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestKinds(t *testing.T) {
	for kind := Invalid; kind <= Spared; kind++ {
		e := &Error{Registry: dockerHub, Kind: kind, Err: errors.New("x")}
		if kind.String() == "" {
			t.Errorf("kind %d has no name", kind)
		}
		if e.Hint() == "" && kind != Invalid && kind != Canceled {
			t.Errorf("kind %v has no hint", kind)
		}
		if strings.Contains(e.Hint(), "docker login docker.io") {
			t.Errorf("hint is %q; Docker Hub is the default", e.Hint())
		}
	}
}
