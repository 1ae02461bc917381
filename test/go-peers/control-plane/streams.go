package main

import (
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	load "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Every open stream with what ends it.
type openStreams struct {
	mu  sync.Mutex
	all map[*openStream]struct{}
}

type openStream struct {
	grpc.ServerStream
	cut   chan struct{}
	mu    sync.Mutex
	group string
}

type hasNode interface{ GetNode() *core.Node }

// RecvMsg ends when the stream is cut; the receiver that is left ends with the stream.
func (s *openStream) RecvMsg(into any) error {
	done := make(chan error, 1)
	go func() { done <- s.ServerStream.RecvMsg(into) }()
	select {
	case <-s.cut:
		return status.Error(codes.Unavailable, "cut")
	case err := <-done:
		if from, ok := into.(hasNode); ok && err == nil && from.GetNode().GetId() != "" {
			s.mu.Lock()
			s.group = groupOf(from.GetNode().GetId())
			s.mu.Unlock()
		}
		return err
	}
}

func (o *openStreams) intercept(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	one := &openStream{ServerStream: stream, cut: make(chan struct{})}
	o.mu.Lock()
	o.all[one] = struct{}{}
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		delete(o.all, one)
		o.mu.Unlock()
	}()
	return handler(srv, one)
}

// Ends the streams of a group, or all.
func (o *openStreams) drop(group string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for one := range o.all {
		one.mu.Lock()
		isMeant := group == "" || one.group == group
		one.mu.Unlock()
		if !isMeant {
			continue
		}
		delete(o.all, one)
		close(one.cut)
		count++
	}
	return count
}

// What is asked of those who report loads.
type asked struct {
	IntervalMs int      `json:"intervalMs"`
	Clusters   []string `json:"clusters"`
}

type loads struct {
	load.UnimplementedLoadReportingServiceServer
	journal *journal
	mu      sync.Mutex
	of      map[string]asked
}

func (l *loads) set(group string, what asked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[group] = what
}

func (l *loads) answer(group string) *load.LoadStatsResponse {
	l.mu.Lock()
	defer l.mu.Unlock()
	what, ok := l.of[group]
	if !ok {
		what.IntervalMs = 500
	}
	interval := durationpb.New(0)
	interval.Nanos = int32(what.IntervalMs%1000) * 1_000_000
	interval.Seconds = int64(what.IntervalMs / 1000)
	return &load.LoadStatsResponse{Clusters: what.Clusters, SendAllClusters: len(what.Clusters) == 0, LoadReportingInterval: interval}
}

func (l *loads) StreamLoadStats(stream load.LoadReportingService_StreamLoadStatsServer) error {
	node := ""
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		isFirst := node == ""
		if isFirst {
			node = request.GetNode().GetId()
		}
		l.journal.load(request, node)
		if isFirst {
			if err := stream.Send(l.answer(groupOf(node))); err != nil {
				return err
			}
		}
	}
}
