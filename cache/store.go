// Package cache keeps small values between runs, in one file that several
// processes share.
//
// What may be lost? Everything: a cache only saves work. So nothing about it is
// fatal. A file that is damaged, unreadable or not the user's own counts as
// empty, is said once, and is replaced by the next [Store.Save].
//
// What may be believed? What is read is, byte for byte, what some Save of the
// same user wrote: the file carries its checksum, belongs to the user and can be
// written by nobody else. Whoever can write it as the user is believed.
//
// What does it cost? Nothing until the first [Store.Get], which reads the file
// as a whole. Its size is bounded, on reading and on writing.
package cache

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// Limits of a store.
const (
	// maxEntries and maxBytes bound the file. What was used last is kept.
	maxEntries = 100_000
	maxBytes   = 32 << 20
	// maxIdle is how long an entry that nobody uses is kept.
	maxIdle = 90 * 24 * time.Hour
	// touchAfter is how old the note of an entry's last use may get. To take
	// down each use would write the file in runs that learn nothing.
	touchAfter = 24 * time.Hour
	// maxSkew is how far in the future an entry may lie: the clock may have
	// been set back a little since.
	maxSkew = time.Minute
)

// Store holds values by key. Its methods may be called at the same time from
// several goroutines.
type Store struct {
	dir  string
	warn func(error)
	now  func() time.Time

	mu      sync.Mutex
	loaded  bool
	warned  bool
	entries map[string]entry
	changed map[string]bool // keys of entries that the file does not have like this
}

// entry is one value with its key.
type entry struct {
	Key   string `json:"key"`
	Put   int64  `json:"put"`  // milliseconds of Unix time
	Used  int64  `json:"used"` // the same, coarse
	Value []byte `json:"-"`    // JSON without line breaks
}

// Open gives the store in the folder dir, which need not exist. It reads
// nothing yet. That the file is damaged or unreadable, and so counts as empty,
// is passed to warn, once; warn may be nil, and must not use the store. An empty
// dir is a store in memory only.
func Open(dir string, warn func(error)) *Store {
	if warn == nil {
		warn = func(error) {}
	}
	return &Store{
		dir:     dir,
		warn:    warn,
		now:     time.Now,
		entries: make(map[string]entry),
		changed: make(map[string]bool),
	}
}

// Get fills value, a pointer, from the JSON under key, and reports whether it
// could. What was put longer ago than maxAge is not there, unless maxAge is zero
// or less: then any age will do. Value may be partly filled where the answer is
// false.
func (s *Store) Get(key string, maxAge time.Duration, value any) bool {
	s.mu.Lock()
	s.load()
	e, ok := s.entries[key]
	now := s.now()
	age := now.Sub(time.UnixMilli(e.Put))
	if !ok || age < -maxSkew || maxAge > 0 && age > maxAge {
		s.mu.Unlock()
		return false
	}
	if now.Sub(time.UnixMilli(e.Used)) > touchAfter {
		e.Used = now.UnixMilli()
		s.entries[key] = e
		s.changed[key] = true
	}
	s.mu.Unlock()
	return json.Unmarshal(e.Value, value) == nil
}

// Put keeps value, as JSON, under key, in place of what was there. A value that
// has no JSON is not kept.
func (s *Store) Put(key string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().UnixMilli()
	s.entries[key] = entry{Key: key, Put: now, Used: now, Value: data}
	s.changed[key] = true
}

// Save brings what was put since the last Save into the file. What other
// processes have saved meanwhile stays; of two values of one key the one that
// was put later does. The file is replaced as a whole: whoever reads it, even
// after this process was killed, finds the old one or the new one.
//
// Where nothing was put, nothing is written. After an error the file is as it
// was, and a later Save tries the same again. Get and Put wait meanwhile.
func (s *Store) Save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" || len(s.changed) == 0 {
		return nil
	}
	if err := s.save(); err != nil {
		return fmt.Errorf("save cache %s: %w", s.dir, err)
	}
	clear(s.changed)
	return nil
}

// load reads the file, the first time.
func (s *Store) load() {
	if s.loaded {
		return
	}
	s.loaded = true
	entries := s.read()
	for _, e := range s.entries { // put before the first Get
		merge(entries, e)
	}
	s.entries = entries
}

// read gives what the file holds now, nothing if it can't be believed.
func (s *Store) read() map[string]entry {
	if s.dir == "" {
		return make(map[string]entry)
	}
	entries, err := readFile(filepath.Join(s.dir, fileName), s.now().Add(maxSkew))
	if err != nil && !s.warned {
		s.warned = true
		s.warn(fmt.Errorf("read cache %s: %w", s.dir, err))
	}
	return entries
}

// merge adds e, unless entries has a later one of its key.
func merge(entries map[string]entry, e entry) {
	if have, ok := entries[e.Key]; ok && have.Put > e.Put {
		return
	}
	entries[e.Key] = e
}
