package registry

import (
	"context"
	"time"

	"github.com/digestlint/digestlint/image"
)

// Pushed says when the tag of ref was last pushed: the zero time, since the
// protocol of registries has no way of telling.
func (c *Client) Pushed(context.Context, image.Reference) (time.Time, error) {
	return time.Time{}, nil
}
