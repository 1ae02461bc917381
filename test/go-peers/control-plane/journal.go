package main

import (
	"context"
	"fmt"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	load "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// What happened on the streams, in order.
type entry struct {
	Kind     string    `json:"kind"` // opened, closed, request, response, load
	Stream   int64     `json:"stream"`
	For      string    `json:"for,omitempty"`
	Node     string    `json:"node,omitempty"`
	Delta    bool      `json:"delta,omitempty"`
	Type     string    `json:"type,omitempty"`
	Version  string    `json:"version,omitempty"`
	Nonce    string    `json:"nonce,omitempty"`
	Names    []string  `json:"names,omitempty"`
	Dropped  []string  `json:"dropped,omitempty"`
	Removed  []string  `json:"removed,omitempty"`
	Error    *refusal  `json:"error,omitempty"`
	UserNode *userNode `json:"client,omitempty"`
	Load     jsonBytes `json:"load,omitempty"`
}

type refusal struct {
	Code    int32  `json:"code"`
	Message string `json:"message"`
}

type userNode struct {
	Agent    string   `json:"agent"`
	Version  string   `json:"version"`
	Features []string `json:"features"`
}

type jsonBytes []byte

func (b jsonBytes) MarshalJSON() ([]byte, error) { return b, nil }

type journal struct {
	mu      sync.Mutex
	entries []entry
	nodes   map[int64]*core.Node
	isDelta map[int64]bool
	// Version last sent, by stream and type.
	sent map[string]string
}

func sentKey(stream int64, typ string) string { return fmt.Sprint(stream, " ", typ) }

func newJournal() *journal {
	return &journal{nodes: map[int64]*core.Node{}, isDelta: map[int64]bool{}, sent: map[string]string{}}
}

func (j *journal) add(one entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if node := j.nodes[one.Stream]; node != nil && one.Node == "" {
		one.Node = node.GetId()
	}
	if one.Node != "" {
		one.For = groupOf(one.Node)
	}
	one.Delta = j.isDelta[one.Stream]
	j.entries = append(j.entries, one)
}

// Entries from `since` on that belong to a group, and where to go on.
func (j *journal) read(since int, group string) ([]entry, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := []entry{}
	for at := min(since, len(j.entries)); at < len(j.entries); at++ {
		if group == "" || j.entries[at].For == group {
			found = append(found, j.entries[at])
		}
	}
	return found, len(j.entries)
}

// The node of a stream stands in its first request; true the first time.
func (j *journal) learn(stream int64, node *core.Node) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if node == nil || j.nodes[stream] != nil {
		return false
	}
	j.nodes[stream] = node
	return true
}

func (j *journal) open(stream int64, isDelta bool) {
	j.mu.Lock()
	j.isDelta[stream] = isDelta
	j.mu.Unlock()
	j.add(entry{Kind: "opened", Stream: stream})
}

func (j *journal) client(stream int64, node *core.Node) *userNode {
	if !j.learn(stream, node) {
		return nil
	}
	return &userNode{node.GetUserAgentName(), node.GetUserAgentVersion(), node.GetClientFeatures()}
}

func (j *journal) request(stream int64, r *discovery.DiscoveryRequest) error {
	one := entry{Kind: "request", Stream: stream, Type: r.TypeUrl, Version: r.VersionInfo, Nonce: r.ResponseNonce, Names: r.ResourceNames, UserNode: j.client(stream, r.Node)}
	if r.ErrorDetail != nil {
		one.Error = &refusal{r.ErrorDetail.Code, r.ErrorDetail.Message}
	}
	j.add(one)
	if r.ErrorDetail != nil {
		// go-control-plane sends what was refused again at once, and a client refuses it again, thousands of times a second: to it the
		// refusal is an acknowledgement, and the next answer comes with the next snapshot.
		j.mu.Lock()
		r.VersionInfo = j.sent[sentKey(stream, r.TypeUrl)]
		j.mu.Unlock()
	}
	return nil
}

func (j *journal) deltaRequest(number int64, r *discovery.DeltaDiscoveryRequest) error {
	stream := -number
	one := entry{Kind: "request", Stream: stream, Type: r.TypeUrl, Nonce: r.ResponseNonce, Names: r.ResourceNamesSubscribe, Dropped: r.ResourceNamesUnsubscribe, UserNode: j.client(stream, r.Node)}
	if r.ErrorDetail != nil {
		one.Error = &refusal{r.ErrorDetail.Code, r.ErrorDetail.Message}
	}
	j.add(one)
	return nil
}

func (j *journal) response(stream int64, r *discovery.DiscoveryResponse) {
	j.mu.Lock()
	j.sent[sentKey(stream, r.TypeUrl)] = r.VersionInfo
	j.mu.Unlock()
	j.add(entry{Kind: "response", Stream: stream, Type: r.TypeUrl, Version: r.VersionInfo, Nonce: r.Nonce})
}

func (j *journal) deltaResponse(stream int64, r *discovery.DeltaDiscoveryResponse) {
	names := []string{}
	for _, resource := range r.Resources {
		names = append(names, resource.Name)
	}
	j.add(entry{Kind: "response", Stream: stream, Type: r.TypeUrl, Version: r.SystemVersionInfo, Nonce: r.Nonce, Names: names, Removed: r.RemovedResources})
}

func (j *journal) load(r *load.LoadStatsRequest, node string) {
	text, _ := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
	j.add(entry{Kind: "load", Node: node, Load: text})
}

func (j *journal) callbacks() server.CallbackFuncs {
	closed := func(stream int64, _ *core.Node) { j.add(entry{Kind: "closed", Stream: stream}) }
	// Delta streams are counted on their own: their numbers are told apart by being negative.
	return server.CallbackFuncs{
		StreamOpenFunc: func(_ context.Context, stream int64, _ string) error {
			j.open(stream, false)
			return nil
		},
		DeltaStreamOpenFunc: func(_ context.Context, stream int64, _ string) error {
			j.open(-stream, true)
			return nil
		},
		StreamClosedFunc:       closed,
		DeltaStreamClosedFunc:  func(stream int64, node *core.Node) { closed(-stream, node) },
		StreamRequestFunc:      j.request,
		StreamDeltaRequestFunc: j.deltaRequest,
		StreamResponseFunc: func(_ context.Context, stream int64, _ *discovery.DiscoveryRequest, r *discovery.DiscoveryResponse) {
			j.response(stream, r)
		},
		StreamDeltaResponseFunc: func(stream int64, _ *discovery.DeltaDiscoveryRequest, r *discovery.DeltaDiscoveryResponse) {
			j.deltaResponse(-stream, r)
		},
	}
}
