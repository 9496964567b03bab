package advisories

import (
	"crypto/ed25519"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// keyPair is a private key and the PEM file of its public one, always the same
// for a name.
func keyPair(name string) (ed25519.PrivateKey, []byte) {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	private := ed25519.NewKeyFromSeed(seed)
	der := append(append([]byte{}, spkiPrefix...), private.Public().(ed25519.PublicKey)...)
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestVerify(t *testing.T) {
	data := []byte("data")
	one, onePEM := keyPair("one")
	two, twoPEM := keyPair("two")
	keys, err := ParseKeys([]byte("the old key\n" + string(onePEM) + "the new key\n" + string(twoPEM)))
	if err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	for i, private := range []ed25519.PrivateKey{one, two} {
		if k, err := Verify(keys, data, ed25519.Sign(private, data)); err != nil || k != keys[i] {
			t.Errorf("key %d: %v, %v", i, k, err)
		}
	}
	other, _ := keyPair("other")
	good := ed25519.Sign(one, data)
	flipped := append([]byte{}, good...)
	flipped[0] ^= 1
	for name, signature := range map[string][]byte{
		"another key": ed25519.Sign(other, data), "other data": ed25519.Sign(one, []byte("other")), "another bit": flipped,
		"none": nil, "short": good[:63], "long": append(good[:64:64], '\n'), "zeros": make([]byte, 64),
	} {
		if k, err := Verify(keys, data, signature); err == nil {
			t.Errorf("%s: verified with %v", name, k)
		}
	}
	if again, err := NewKey(keys[0].Bytes()); err != nil || again != keys[0] {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := NewKey(keys[0].Bytes()[1:]); err == nil {
		t.Error("a short key")
	}
	if keys[0].String() == keys[1].String() || !strings.HasPrefix(keys[0].String(), "SHA256:") {
		t.Errorf("fingerprints %v and %v", keys[0], keys[1])
	}
}

func TestParseKeysErrors(t *testing.T) {
	_, good := keyPair("one")
	for want, text := range map[string]string{
		"no Ed25519 public key in PEM": "hunter2",
		"a private key":                string(good) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")})),
		"no Ed25519 public key":        string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("hunter2")})),
		"that is no Ed25519":           string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(spkiPrefix, make([]byte, 32)...)})),
	} {
		_, err := ParseKeys([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestOpenSSL holds that the commands of the documentation make keys and
// signatures that are taken.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bundle.txt"), []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"genpkey -algorithm ed25519 -out private.pem",
		"pkey -in private.pem -pubout -out public.pem",
		"pkeyutl -sign -rawin -inkey private.pem -in bundle.txt -out bundle.txt.sig",
	} {
		cmd := exec.Command("openssl", strings.Fields(line)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", line, err, out)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	keys, err := ParseKeys(read("public.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(keys, []byte("data"), read("bundle.txt.sig")); err != nil {
		t.Error(err)
	}
	if _, err := Verify(keys, []byte("date"), read("bundle.txt.sig")); err == nil {
		t.Error("other data were verified")
	}
	if _, err := ParseKeys(read("private.pem")); err == nil || !strings.Contains(err.Error(), "a private key") {
		t.Errorf("the private key: %v", err)
	}
	// The fingerprint is what openssl would show, too.
	out, err := exec.Command("sh", "-c", "openssl pkey -pubin -in "+filepath.Join(dir, "public.pem")+" -outform DER | openssl dgst -sha256 -binary | openssl base64").Output()
	if want := "SHA256:" + strings.TrimRight(string(out), "=\n"); err != nil || keys[0].String() != want {
		t.Errorf("fingerprint %v, want %s (%v)", keys[0], want, err)
	}
}
