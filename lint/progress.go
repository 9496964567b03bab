package lint

import "sync/atomic"

// Progress counts what a run has done, for a person who watches it. Its fields
// may be read at any time. A nil Progress counts nothing.
type Progress struct {
	Files      atomic.Int64 // read
	References atomic.Int64 // distinct ones to ask registries for; zero before that begins
	Resolved   atomic.Int64 // of References, with an answer or without
}

func (p *Progress) file() {
	if p != nil {
		p.Files.Add(1)
	}
}

func (p *Progress) references(n int) {
	if p != nil {
		p.References.Store(int64(n))
	}
}

func (p *Progress) resolved() {
	if p != nil {
		p.Resolved.Add(1)
	}
}
