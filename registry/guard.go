package registry

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// guard keeps requests from hosts that nobody has allowed. Whoever may change
// a file decides which registry is asked; in a pipeline that is anybody who
// can propose a change, and the machine that asks stands in a network that
// trusts it. A nil guard lets everything through.
type guard struct {
	patterns []string // of registries, lower case
	// listed are the hosts of addresses that were named as such, and may be
	// anywhere.
	listed map[string]bool
}

// newGuard makes that of the options.
func newGuard(o Options) *guard {
	if o.Allowed == nil {
		return nil
	}
	g := &guard{listed: make(map[string]bool)}
	for _, pattern := range o.Allowed {
		pattern = registryOf(strings.ToLower(pattern))
		g.patterns = append(g.patterns, pattern)
		g.listed[pattern] = true
	}
	for registry, settings := range o.Registries {
		if o.BindMirrors || g.registry(strings.ToLower(registry)) != nil {
			continue
		}
		for _, mirror := range settings.Mirrors {
			if host, _, err := parseMirror(mirror); err == nil {
				g.listed[host] = true
			}
		}
	}
	return g
}

// registry is an error for a registry, named by its canonical host, that must
// not be asked.
func (g *guard) registry(host string) error {
	if g == nil || slices.ContainsFunc(g.patterns, func(p string) bool { return matchHost(p, host) }) {
		return nil
	}
	return &failure{kind: NotAllowed, text: "not asked, since the registry is not one of those allowed"}
}

// matchHost reports whether the pattern of [Options.Allowed] means host.
func matchHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*."); ok {
		return strings.HasSuffix(host, "."+suffix)
	}
	return pattern == host
}

// address is an error for the address of a request that must not be sent:
// that of a host which is not public as it stands there. Names are judged when
// they are known to lead somewhere, by dial. A proxy looks names up itself and
// may read numbers that are no addresses here, "127.1" for one.
func (g *guard) address(u *url.URL) error {
	if g == nil || g.lists(u.Host) {
		return nil
	}
	host := strings.ToLower(u.Hostname())
	a, err := netip.ParseAddr(host)
	switch {
	case err == nil && !public(a), loopback(host):
		return errInward("its address")
	case err != nil && endsInNumber(host):
		return errInward("a number in place of a name")
	}
	return nil
}

// lists reports whether host, with or without a port, was named as such.
func (g *guard) lists(host string) bool {
	host = strings.ToLower(host)
	if g.listed[registryOf(host)] {
		return true
	}
	bare, port, err := net.SplitHostPort(host)
	if err != nil || port != "443" && port != "80" {
		return false
	}
	if strings.Contains(bare, ":") {
		bare = "[" + bare + "]"
	}
	return g.listed[registryOf(bare)]
}

// dial connects like [net.Dialer.DialContext], but not to an address that is
// not public, whatever name led to it. That is found out when the address is
// known and nothing has been sent there.
func (g *guard) dial(d net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		d := d
		if !g.lists(address) {
			d.ControlContext = outwardOnly
		}
		return d.DialContext(ctx, network, address)
	}
}

func outwardOnly(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return errInward("the address that its name leads to")
	}
	return nil
}

func errInward(what string) error {
	return &failure{
		kind: NotAllowed,
		text: "not asked, since " + what + " is not a public one",
		hint: "if that host is meant to be asked, name it itself among the allowed ones, without a wildcard",
	}
}

// crossroads is the transport of a guard. Connections to a proxy are not the
// guard's business: who set the proxy variables has chosen it, and it may well
// be at a private address.
type crossroads struct {
	proxy           func(*http.Request) (*url.URL, error)
	direct, proxied http.RoundTripper
}

func (c *crossroads) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := c.proxy(req)
	switch {
	case err != nil:
		return nil, &failure{kind: Unreachable, text: "the proxy variables hold no address of a proxy"}
	case proxy != nil:
		return c.proxied.RoundTrip(req)
	}
	return c.direct.RoundTrip(req)
}

// inward are the IPv4 addresses that do not lead to the public internet, by
// https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/multicast-addresses.
var inward = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	// Azure's platform, as its virtual machines see it
	// (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
	"168.63.129.16/32",
)

// inward6 are those among the IPv6 addresses of global unicast, 2000::/3, by
// https://www.iana.org/assignments/iana-ipv6-special-registry.
var inward6 = prefixes("2001::/23", "2001:db8::/32", "3fff::/20")

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	sixToFour     = netip.MustParsePrefix("2002::/16")    // https://www.rfc-editor.org/rfc/rfc3056
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // https://www.rfc-editor.org/rfc/rfc6052
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// public reports whether a is an address that means the same host everywhere.
// An IPv6 address that stands for one of IPv4 is what that is.
func public(a netip.Addr) bool {
	contains := func(p netip.Prefix) bool { return p.Contains(a) }
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return !slices.ContainsFunc(inward, contains)
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[12:16])))
	case sixToFour.Contains(a):
		return public(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return globalUnicast.Contains(a) && !slices.ContainsFunc(inward6, contains)
}

// endsInNumber reports whether programs other than this may take host, in lower
// case, for an IPv4 address (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	digits, hex := strings.CutPrefix(last, "0x")
	if hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
