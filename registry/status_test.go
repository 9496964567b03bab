package registry

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// idle is the status of a host that nothing goes on at.
func idle(host string) HostStatus { return HostStatus{Host: host} }

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{hosts: map[string]http.HandlerFunc{
			"https://a.test": api(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(10 * time.Second)
				good(w, r)
			}).ServeHTTP,
			"http://b.test:5000": api(good).ServeHTTP,
			"https://c.test":     bad(3, status(429, "30")).ServeHTTP,
		}}
		c, _ := timed(Options{Transport: n, Concurrency: 3, Registries: insecureHosts([]string{"b.test:5000"})}, nil)
		if got := c.Status(); len(got) != 0 || c.Requests() != 0 {
			t.Errorf("at first: %+v, %d requests", got, c.Requests())
		}
		if _, err := c.Resolve(context.Background(), parse(t, "b.test:5000/app:1")); err != nil {
			t.Fatal(err)
		}
		// Over HTTPS in vain, over HTTP, and the manifest.
		if got, want := c.Status(), []HostStatus{idle("b.test:5000")}; !reflect.DeepEqual(got, want) || c.Requests() != 3 {
			t.Errorf("got %+v, want %+v; %d requests", got, want, c.Requests())
		}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			for _, host := range []string{"c.test", "a.test"} {
				wg.Go(func() {
					if _, err := c.Resolve(context.Background(), parse(t, "%s/app:%d", host, i)); err != nil {
						t.Error(err)
					}
				})
			}
		}
		synctest.Wait()
		want := []HostStatus{
			{Host: "a.test", Sending: 3, Waiting: 7},
			idle("b.test:5000"),
			{Host: "c.test", Waiting: 10, Until: start.Add(30 * time.Second)},
		}
		if got := c.Status(); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		wg.Wait()
		if got, want := c.Status(), []HostStatus{idle("a.test"), idle("b.test:5000"), idle("c.test")}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got, want := c.Requests(), int64(3+2*(1+10)+3); got != want {
			t.Errorf("%d requests, want %d", got, want)
		}
	})
}

// Questions for the status disturb nobody.
func TestStatusAtAnyTime(t *testing.T) {
	s := newMemory(t)
	pushImage(t, s.host()+"/app:1")
	c, _ := newClient(Options{})
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				c.Status()
				c.Requests()
			}
		}
	})
	for i := range 20 {
		wg.Go(func() { c.Resolve(context.Background(), parse(t, "%s/app:%d", s.host(), i)) })
	}
	close(done)
	wg.Wait()
}
