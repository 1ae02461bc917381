// A control plane of go-control-plane's that is told over HTTP what to serve: state of the world and delta over ADS, load reports.
//
// A node whose id is GROUP/REST is served the snapshot of GROUP, any other that of "*".
//
//	PUT  /snapshot?for=GROUP  {version?, resources: […]}; 400 with the reason where it is not understood
//	POST /loads?for=GROUP     {intervalMs, clusters?}: what is asked of those who report (all clusters each 500 ms)
//	POST /drop?for=GROUP      ends the streams of a group, or of all
//	GET  /journal?since=N&for=GROUP  {entries, next}
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	load "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

func groupOf(id string) string {
	if group, _, ok := strings.Cut(id, "/"); ok {
		return group
	}
	return "*"
}

type byGroup struct{}

func (byGroup) ID(node *core.Node) string { return groupOf(node.GetId()) }

type controlPlane struct {
	mu      sync.Mutex
	cache   cache.SnapshotCache
	numbers map[string]int
	journal *journal
	loads   *loads
	streams *openStreams
}

func groupAsked(r *http.Request) string {
	if group := r.URL.Query().Get("for"); group != "" {
		return group
	}
	return "*"
}

func (c *controlPlane) put(w http.ResponseWriter, r *http.Request) {
	var want given
	if err := readJson(r.Body, &want); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	group := groupAsked(r)
	before, _ := c.cache.GetSnapshot(group)
	last, _ := before.(*cache.Snapshot)
	next, err := snapshotOf(want, c.numbers[group]+1, last)
	if err == nil {
		c.numbers[group]++
		err = c.cache.SetSnapshot(context.Background(), group, next)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, map[string]int{"number": c.numbers[group]})
}

func (c *controlPlane) ask(w http.ResponseWriter, r *http.Request) {
	var what asked
	if err := readJson(r.Body, &what); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.loads.set(groupAsked(r), what)
	answer(w, map[string]int{})
}

func (c *controlPlane) read(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.Atoi(r.URL.Query().Get("since"))
	entries, next := c.journal.read(since, r.URL.Query().Get("for"))
	answer(w, map[string]any{"entries": entries, "next": next})
}

func readJson(from io.Reader, into any) error { return json.NewDecoder(from).Decode(into) }

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func main() {
	xds := flag.String("xds", "127.0.0.1:0", "where ADS and load reports are served")
	admin := flag.String("admin", "127.0.0.1:0", "where the admin port is")
	ads := flag.Bool("ads", false, "answer a request only when it names every resource of the type (go-control-plane's ADS mode)")
	flag.Parse()
	go endWithParent()
	if err := run(*xds, *admin, *ads); err != nil {
		log.Fatal(err)
	}
}

// Whoever started this holds the other end of its input: a test that has died leaves nothing behind.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func run(xds, admin string, ads bool) error {
	journal := newJournal()
	plane := &controlPlane{
		cache:   cache.NewSnapshotCache(ads, byGroup{}, nil),
		numbers: map[string]int{},
		journal: journal,
		loads:   &loads{journal: journal, of: map[string]asked{}},
		streams: &openStreams{all: map[*openStream]struct{}{}},
	}
	xdsListener, err := net.Listen("tcp", xds)
	if err != nil {
		return err
	}
	adminListener, err := net.Listen("tcp", admin)
	if err != nil {
		return err
	}
	http.HandleFunc("PUT /snapshot", plane.put)
	http.HandleFunc("POST /loads", plane.ask)
	http.HandleFunc("GET /journal", plane.read)
	http.HandleFunc("POST /drop", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]int{"streams": plane.streams.drop(r.URL.Query().Get("for"))})
	})
	go func() { log.Fatal(http.Serve(adminListener, nil)) }()
	grpcServer := grpc.NewServer(grpc.MaxConcurrentStreams(100_000), grpc.StreamInterceptor(plane.streams.intercept))
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, server.NewServer(context.Background(), plane.cache, journal.callbacks()))
	load.RegisterLoadReportingServiceServer(grpcServer, plane.loads)
	fmt.Printf("{\"xds\":%q,\"admin\":%q}\n", xdsListener.Addr(), adminListener.Addr())
	return grpcServer.Serve(xdsListener)
}
