package registry

import (
	"context"
	"net/http"

	"github.com/digestlint/digestlint/image"
)

// Delete deletes the manifest with the digest of ref, which must have no tag,
// from the repository of ref, and with it all tags that lead there
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-manifests).
// Mirrors are left out, and no redirect is followed. What the client remembers
// of the manifest it goes on to remember; [Client.Head] shows whether it is
// gone.
func (c *Client) Delete(ctx context.Context, ref image.Reference) error {
	if err := c.delete(ctx, ref); err != nil {
		return newError("delete", ref, err)
	}
	return nil
}

func (c *Client) delete(ctx context.Context, ref image.Reference) error {
	if err := c.check(ref); err != nil {
		return err
	}
	if ref.Digest == "" || ref.Tag != "" {
		// Some registries delete the manifest behind a tag, others the tag.
		return &failure{kind: Invalid, text: "only a digest without a tag can be deleted"}
	}
	e, err := c.endpoint(ctx, ref.Host())
	if err != nil {
		return err
	}
	r, err := c.special(ctx, e, ref.Path(), e.registry.Repo(ref.Path()).Scope(deleteScope))
	if err != nil {
		return err
	}
	_, err = r.withoutRedirects().send(ctx, http.MethodDelete, "manifests/"+ref.Digest, "*/*")
	switch f := explain(err); {
	case err == nil, f.status == http.StatusAccepted, f.status == http.StatusNoContent:
		return nil
	case f.status == http.StatusMethodNotAllowed, f.status == http.StatusBadRequest:
		// Both are what a registry answers that has deletion switched off.
		said := *f
		said.text += ", so deleting is switched off or not supported there"
		said.hint = "Docker's registry deletes if REGISTRY_STORAGE_DELETE_ENABLED=true, but never as a pull-through cache"
		return &said
	case f.kind == Unauthorized:
		said := *f
		said.hint = "log in as somebody who may delete in the repository, not only read"
		return &said
	}
	return err
}

// deleteScope is what a token must be good for. A registry that wants another
// says so when it refuses the first
// (https://distribution.github.io/distribution/spec/auth/scope/).
const deleteScope = "pull,delete"
