// A client of grpc-go's that does what the lines on its standard input say.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/leastrequest"
	_ "google.golang.org/grpc/balancer/ringhash"
	_ "google.golang.org/grpc/balancer/weightedroundrobin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"

	"inmesh.test/peers/raw"
)

type command struct {
	ID           int             `json:"id"`
	Do           string          `json:"do"`
	Channel      string          `json:"channel"`
	Target       string          `json:"target"`
	Credentials  string          `json:"credentials"`
	Bootstrap    json.RawMessage `json:"bootstrap"`
	Method       string          `json:"method"`
	Headers      map[string]any  `json:"headers"`
	DeadlineMs   int             `json:"deadlineMs"`
	WaitForReady bool            `json:"waitForReady"`
	Count        int             `json:"count"`
	Parallel     int             `json:"parallel"`
}

type answer struct {
	Status   string            `json:"status"`
	Body     string            `json:"body,omitempty"`
	Message  string            `json:"message,omitempty"`
	Ms       float64           `json:"ms"`
	Trailers map[string]string `json:"trailers,omitempty"`
}

// The names every gRPC implementation but Go's prints.
var names = map[codes.Code]string{
	codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS",
	codes.PermissionDenied: "PERMISSION_DENIED", codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE",
	codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE",
	codes.DataLoss: "DATA_LOSS", codes.Unauthenticated: "UNAUTHENTICATED",
}

var (
	voice    sync.Mutex
	channels sync.Map
)

func say(line map[string]any) {
	text, _ := json.Marshal(line)
	voice.Lock()
	defer voice.Unlock()
	fmt.Println(string(text))
}

func open(order command) error {
	var creds credentials.TransportCredentials = insecure.NewCredentials()
	if order.Credentials == "xds" {
		var err error
		if creds, err = xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: creds}); err != nil {
			return err
		}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw.Codec{}))}
	if order.Bootstrap != nil {
		// The one way to have more than the bootstrap of the process.
		resolver, err := xds.NewXDSResolverWithConfigForTesting(order.Bootstrap)
		if err != nil {
			return err
		}
		options = append(options, grpc.WithResolvers(resolver))
	}
	client, err := grpc.NewClient(order.Target, options...)
	if err != nil {
		return err
	}
	channels.Store(order.Channel, client)
	return nil
}

func add(into metadata.MD, name string, value any) {
	text := fmt.Sprint(value)
	if strings.HasSuffix(name, "-bin") {
		bytes, _ := base64.StdEncoding.DecodeString(text)
		text = string(bytes)
	}
	into.Append(name, text)
}

func headers(order command) metadata.MD {
	md := metadata.MD{}
	for name, value := range order.Headers {
		if list, ok := value.([]any); ok {
			for _, one := range list {
				add(md, name, one)
			}
			continue
		}
		add(md, name, value)
	}
	return md
}

func call(client *grpc.ClientConn, order command) answer {
	deadline := time.Duration(order.DeadlineMs) * time.Millisecond
	if deadline == 0 {
		deadline = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), headers(order)), deadline)
	defer cancel()
	began := time.Now()
	var reply []byte
	request := []byte{}
	var trailer metadata.MD
	err := client.Invoke(ctx, order.Method, &request, &reply, grpc.Trailer(&trailer), grpc.WaitForReady(order.WaitForReady))
	told := answer{Status: names[status.Code(err)], Ms: float64(time.Since(began).Microseconds()) / 1e3}
	if err != nil {
		told.Message = status.Convert(err).Message()
	} else {
		told.Body = string(reply)
	}
	told.Trailers = map[string]string{}
	for name, values := range trailer {
		told.Trailers[name] = strings.Join(values, ",")
	}
	return told
}

func calls(order command) ([]answer, error) {
	held, ok := channels.Load(order.Channel)
	if !ok {
		return nil, fmt.Errorf("no channel %q", order.Channel)
	}
	count, parallel := max(order.Count, 1), max(order.Parallel, 1)
	answers := make([]answer, count)
	lanes := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for index := range answers {
		lanes <- struct{}{}
		all.Go(func() {
			answers[index] = call(held.(*grpc.ClientConn), order)
			<-lanes
		})
	}
	all.Wait()
	return answers, nil
}

func carryOut(order command) map[string]any {
	line := map[string]any{"id": order.ID}
	var err error
	switch order.Do {
	case "open":
		err = open(order)
	case "close":
		if held, ok := channels.LoadAndDelete(order.Channel); ok {
			err = held.(*grpc.ClientConn).Close()
		}
	case "call":
		line["answers"], err = calls(order)
	default:
		err = fmt.Errorf("no such command: %q", order.Do)
	}
	if err != nil {
		line["error"] = err.Error()
	}
	return line
}

func main() {
	say(map[string]any{"ready": true, "name": "grpc-go", "version": grpc.Version})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Buffer(nil, 1<<24); lines.Scan(); {
		var order command
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			say(map[string]any{"error": err.Error()})
			continue
		}
		go func() { say(carryOut(order)) }()
	}
}
