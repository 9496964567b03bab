package lint

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/digestlint/digestlint/image"
)

// perHost is how many references of one registry are asked for at once. The
// limits of the registries are the resolver's; this bounds what waits for them,
// so that one slow registry does not keep the others waiting.
const perHost = 32

// EachReference calls ask with the index of each of the distinct references,
// several at once, under the limits of o. Ask is called for all of them, also
// when ctx has ended.
func (o *Options) EachReference(ctx context.Context, refs []image.Reference, ask func(ctx context.Context, i int)) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	if o.Announce != nil {
		o.Announce(refs)
	}
	o.Progress.references(len(refs))
	hosts := map[string][]int{}
	for i, ref := range refs {
		hosts[ref.Host()] = append(hosts[ref.Host()], i)
	}
	var wg sync.WaitGroup
	for _, queue := range hosts {
		wg.Go(func() {
			parallel(perHost, len(queue), func(i int) {
				ask(ctx, queue[i])
				o.Progress.resolved()
			})
		})
	}
	wg.Wait()
}

// parallel calls do with every number below n, for at most so many at once.
func parallel(workers, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
