package advisories

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// A Key verifies that a bundle is from whom it is said to be from. It is an
// Ed25519 public key (https://www.rfc-editor.org/rfc/rfc8032).
type Key struct {
	public [ed25519.PublicKeySize]byte
}

// spkiPrefix stands before the 32 bytes of an Ed25519 public key in DER
// (https://www.rfc-editor.org/rfc/rfc8410#section-4). The structure has no
// optional parts, so there is only this one way to write it, and the parser for
// all the others, crypto/x509, which could open connections, is not needed.
var spkiPrefix = []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}

// ParseKeys reads the public keys of a PEM file, at least one, as
// `openssl pkey -pubout` writes them. Several are for the time in which one
// replaces another. Errors quote nothing of the file.
func ParseKeys(data []byte) ([]Key, error) {
	var keys []Key
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type == "PRIVATE KEY" {
			return nil, errors.New("a private key; only its owner should have it, and only the public key is needed here")
		}
		raw, ok := bytes.CutPrefix(block.Bytes, spkiPrefix)
		if block.Type != "PUBLIC KEY" || !ok || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("a PEM block that is no Ed25519 public key")
		}
		keys = append(keys, Key{[ed25519.PublicKeySize]byte(raw)})
	}
	if len(keys) == 0 {
		return nil, errors.New("no Ed25519 public key in PEM")
	}
	return keys, nil
}

// NewKey is the key of the 32 bytes raw.
func NewKey(raw []byte) (Key, error) {
	if len(raw) != ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("a key of %d bytes, not %d", len(raw), ed25519.PublicKeySize)
	}
	return Key{[ed25519.PublicKeySize]byte(raw)}, nil
}

// Bytes are the 32 bytes of the key.
func (k Key) Bytes() []byte { return k.public[:] }

// String is the fingerprint of k, "SHA256:" and the hash in base64, as OpenSSH
// shows its own.
func (k Key) String() string {
	sum := sha256.Sum256(append(bytes.Clone(spkiPrefix), k.public[:]...))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Verify finds the one of keys that has made the signature of data, 64 bytes
// as `openssl pkeyutl -sign -rawin` writes them.
func Verify(keys []Key, data, signature []byte) (Key, error) {
	if len(signature) != ed25519.SignatureSize {
		return Key{}, fmt.Errorf("a signature of %d bytes, where one of Ed25519 has %d", len(signature), ed25519.SignatureSize)
	}
	for _, k := range keys {
		if ed25519.Verify(k.public[:], data, signature) {
			return k, nil
		}
	}
	return Key{}, errors.New("the signature is not one of the data with the key")
}
