package cache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The files of a store. They carry the version of the format, so that programs
// of different ages share a folder without throwing out each other's entries.
const (
	version     = 1
	fileName    = "v1.store"
	lockName    = "v1.lock"
	tempPattern = "v1-*.tmp"
)

// lockWait is how long to wait for other processes that save; to save takes
// each of them milliseconds.
const lockWait = 10 * time.Second

// orphaned is the age at which a temporary file is one that a killed process
// has left behind.
const orphaned = time.Hour

// header is the first line of the file, in JSON. All other lines are entries:
// first all but the value, in JSON, then a tab and the value, so that a value is
// taken apart only when somebody wants it.
type header struct {
	Version int    `json:"version"`
	SHA256  string `json:"sha256"` // of all that follows the first line, in hex
}

// Reasons why a file counts as empty.
var (
	errNotRegular = errors.New("not a regular file")
	errForeign    = errors.New("another user owns the file or may write to it")
	errTooLarge   = fmt.Errorf("larger than %d bytes", maxBytes)
	errDamaged    = errors.New("the file is damaged")
	errVersion    = errors.New("the file has another version")
)

// readFile gives the entries of the file at path. No such file is an empty one.
// Entries that lie after latest are left out; to have met any is an error, too,
// but the others are there.
func readFile(path string, latest time.Time) (map[string]entry, error) {
	entries := make(map[string]entry)
	data, err := readBytes(path)
	if errors.Is(err, fs.ErrNotExist) {
		return entries, nil
	}
	if err != nil {
		return entries, err
	}
	lines, err := decode(data)
	if err != nil {
		return entries, err
	}
	future := 0
	for _, e := range lines {
		if limit := latest.UnixMilli(); e.Put > limit || e.Used > limit {
			future++
			continue
		}
		merge(entries, e)
	}
	if future > 0 {
		return entries, fmt.Errorf("%d entries left out that are dated in the future", future)
	}
	return entries, nil
}

// readBytes reads the file at path if it is one that a store of this user can
// have written.
func readBytes(path string) ([]byte, error) {
	// To open a device may have effects, and not every system can refuse to
	// follow a link while opening.
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	case foreign(info):
		return nil, errForeign
	case info.Size() > maxBytes:
		return nil, errTooLarge
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

// decode takes the content of a file apart.
func decode(data []byte) ([]entry, error) {
	first, body, ok := bytes.Cut(data, []byte("\n"))
	var h header
	if !ok || json.Unmarshal(first, &h) != nil {
		return nil, errDamaged
	}
	if h.Version != version {
		return nil, errVersion
	}
	if h.SHA256 != checksum(body) {
		return nil, errDamaged
	}
	var entries []entry
	for line := range bytes.Lines(body) {
		var e entry
		head, value, ok := bytes.Cut(line, []byte("\t"))
		if !ok || len(entries) == maxEntries || json.Unmarshal(head, &e) != nil {
			return nil, errDamaged
		}
		e.Value = bytes.TrimSuffix(value, []byte("\n"))
		entries = append(entries, e)
	}
	return entries, nil
}

// encode is the file of the entries: those used last first, as many as the
// limits let in.
func encode(entries map[string]entry, now time.Time) ([]byte, error) {
	recent := slices.SortedFunc(maps.Values(entries), func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.Used, a.Used), cmp.Compare(b.Put, a.Put), cmp.Compare(a.Key, b.Key))
	})
	oldest := now.Add(-maxIdle).UnixMilli()
	first, err := firstLine(nil)
	if err != nil {
		return nil, err
	}
	var body []byte
	for i, e := range recent {
		if i == maxEntries || e.Used < oldest {
			break
		}
		head, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		if len(first)+len(body)+len(head)+len(e.Value)+2 > maxBytes {
			continue // a smaller one may still fit
		}
		body = append(append(append(append(body, head...), '\t'), e.Value...), '\n')
	}
	if first, err = firstLine(body); err != nil {
		return nil, err
	}
	return append(first, body...), nil
}

// firstLine is the header of body, whose length does not depend on it.
func firstLine(body []byte) ([]byte, error) {
	line, err := json.Marshal(header{Version: version, SHA256: checksum(body)})
	return append(line, '\n'), err
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// save merges the changed entries into the file.
func (s *Store) save() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(s.dir, lockName), lockWait)
	if err != nil {
		return err
	}
	defer unlock()
	sweep(s.dir, s.now())
	entries := s.read()
	for key := range s.changed {
		merge(entries, s.entries[key])
	}
	data, err := encode(entries, s.now())
	if err != nil {
		return err
	}
	return replace(filepath.Join(s.dir, fileName), data)
}

// sweep removes the temporary files in dir of processes that were killed.
func sweep(dir string, now time.Time) {
	names, err := filepath.Glob(filepath.Join(dir, tempPattern))
	if err != nil {
		return
	}
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && now.Sub(info.ModTime()) > orphaned {
			os.Remove(name)
		}
	}
}

// replace puts a file with data in the place of path, whatever was there short
// of a folder with something in it.
func replace(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), tempPattern) // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		os.Remove(path) // no file can be renamed to a folder's name
	}
	return os.Rename(temp.Name(), path)
}

// errLocked is a lock that another process holds for too long.
var errLocked = errors.New("another process keeps the lock")

// lock waits for the lock that the file at path stands for. The system ends it
// when the process ends, however that happens; the file stays.
func lock(path string, wait time.Duration) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openFlags, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; !tryLock(file); pause = min(2*pause, 16*time.Millisecond) {
		if time.Now().After(deadline) {
			file.Close()
			return nil, errLocked
		}
		time.Sleep(pause)
	}
	return func() { file.Close() }, nil
}
