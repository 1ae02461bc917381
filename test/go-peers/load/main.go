// A gRPC server that hands back what it gets, without a look at it: what is measured is the client.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

const spread = 100

// raw passes messages as bytes.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

func receive(stream grpc.ServerStream) (*[]byte, error) {
	message := new([]byte)
	return message, stream.RecvMsg(message)
}

func unary(_ any, stream grpc.ServerStream) error {
	message, err := receive(stream)
	if err != nil {
		return err
	}
	return stream.SendMsg(message)
}

// collect answers with the last message.
func collect(_ any, stream grpc.ServerStream) error {
	last := new([]byte)
	for {
		message, err := receive(stream)
		if err == io.EOF {
			return stream.SendMsg(last)
		}
		if err != nil {
			return err
		}
		last = message
	}
}

func spreadOut(_ any, stream grpc.ServerStream) error {
	message, err := receive(stream)
	for n := 0; err == nil && n < spread; n++ {
		err = stream.SendMsg(message)
	}
	return err
}

func chat(_ any, stream grpc.ServerStream) error {
	for {
		message, err := receive(stream)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = stream.SendMsg(message)
		}
		if err != nil {
			return err
		}
	}
}

// hold never answers.
func hold(_ any, stream grpc.ServerStream) error {
	<-stream.Context().Done()
	return nil
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.MaxConcurrentStreams(100_000))
	both := func(name string, handler grpc.StreamHandler) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, Handler: handler, ServerStreams: true, ClientStreams: true}
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			both("Unary", unary), both("Collect", collect), both("Spread", spreadOut), both("Chat", chat), both("Hold", hold),
		},
	}, struct{}{})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		// It ends with whoever started it.
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	_ = server.Serve(listener)
}
