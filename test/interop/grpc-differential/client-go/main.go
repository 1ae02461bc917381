// A client of grpc-go's that is told by lines of JSON which channel to open and what to call.
package main

import (
	"bufio"
	"context"
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
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"
)

// Bytes are what they are.
type raw struct{}

func (raw) Marshal(value any) ([]byte, error) { return *value.(*[]byte), nil }
func (raw) Unmarshal(data []byte, value any) error {
	*value.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

type order struct {
	Id        int             `json:"id"`
	Do        string          `json:"do"`
	Channel   string          `json:"channel"`
	Bootstrap json.RawMessage `json:"bootstrap"`
	Target    string          `json:"target"`
	Tls       bool            `json:"tls"`
	Path      string          `json:"path"`
	Metadata  [][2]string     `json:"metadata"`
	TimeoutMs int             `json:"timeoutMs"`
	Wait      bool            `json:"wait"`
}

type reply struct {
	Id      int    `json:"id"`
	Code    int    `json:"code"`
	Details string `json:"details"`
	Body    string `json:"body"`
}

var (
	mu       sync.Mutex
	channels = map[string]*grpc.ClientConn{}
)

func say(one reply) {
	line, _ := json.Marshal(one)
	mu.Lock()
	defer mu.Unlock()
	fmt.Println(string(line))
}

func open(one order) (*grpc.ClientConn, error) {
	builder, err := xds.NewXDSResolverWithConfigForTesting(one.Bootstrap)
	if err != nil {
		return nil, err
	}
	var creds credentials.TransportCredentials = insecure.NewCredentials()
	if one.Tls {
		if creds, err = xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()}); err != nil {
			return nil, err
		}
	}
	return grpc.NewClient(one.Target, grpc.WithResolvers(builder), grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
}

func call(one order, channel *grpc.ClientConn) reply {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(one.TimeoutMs)*time.Millisecond)
	defer cancel()
	for _, pair := range one.Metadata {
		ctx = metadata.AppendToOutgoingContext(ctx, strings.ToLower(pair[0]), pair[1])
	}
	var sent, body []byte
	err := channel.Invoke(ctx, one.Path, &sent, &body, grpc.WaitForReady(one.Wait))
	told := status.Convert(err)
	return reply{one.Id, int(told.Code()), told.Message(), string(body)}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one order
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		switch one.Do {
		case "open":
			channel, err := open(one)
			if err != nil {
				say(reply{one.Id, 2, err.Error(), ""})
				continue
			}
			channels[one.Channel] = channel
			say(reply{Id: one.Id})
		case "close":
			_ = channels[one.Channel].Close()
			delete(channels, one.Channel)
			say(reply{Id: one.Id})
		default:
			go func(channel *grpc.ClientConn) { say(call(one, channel)) }(channels[one.Channel])
		}
	}
}
