// Go's HTTP/2: its header tables, line by line, and the servers of net/http.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

func main() {
	switch os.Args[1] {
	case "hpack":
		tables()
	case "serve":
		serve()
	}
}

// A line of input: what to encode, or to decode; `reset` begins two new tables.
type command struct {
	Reset  bool        `json:"reset"`
	Limits []uint32    `json:"limits"`
	Sizes  []uint32    `json:"sizes"`
	Fields [][3]string `json:"fields"`
	Hex    *string     `json:"hex"`
}

type answer struct {
	Hex    string      `json:"hex"`
	Fields [][3]string `json:"fields"`
	Error  string      `json:"error,omitempty"`
}

func tables() {
	var out bytes.Buffer
	encoder := hpack.NewEncoder(&out)
	decoder := hpack.NewDecoder(4096, nil)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var in command
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			panic(err)
		}
		if in.Reset {
			encoder = hpack.NewEncoder(&out)
			decoder = hpack.NewDecoder(4096, nil)
		}
		// What the other side allows, then what the encoder makes of it.
		for _, limit := range in.Limits {
			encoder.SetMaxDynamicTableSizeLimit(limit)
		}
		for _, size := range in.Sizes {
			encoder.SetMaxDynamicTableSize(size)
		}
		result := answer{Fields: [][3]string{}}
		if in.Hex != nil {
			block, _ := hex.DecodeString(*in.Hex)
			fields, err := decoder.DecodeFull(block)
			if err != nil {
				result.Error = err.Error()
			}
			for _, field := range fields {
				result.Fields = append(result.Fields, [3]string{hex.EncodeToString([]byte(field.Name)), hex.EncodeToString([]byte(field.Value)), strconv.FormatBool(field.Sensitive)})
			}
		}
		out.Reset()
		for _, field := range in.Fields {
			value, _ := hex.DecodeString(field[1])
			encoder.WriteField(hpack.HeaderField{Name: field[0], Value: string(value), Sensitive: field[2] == "true"})
		}
		result.Hex = hex.EncodeToString(out.Bytes())
		line, _ := json.Marshal(result)
		fmt.Println(string(line))
	}
}

func serve() {
	handler := http.HandlerFunc(answerTo)
	config := &http.HTTP2Config{MaxConcurrentStreams: 50}
	for _, arg := range os.Args[2:] {
		name, text, _ := strings.Cut(arg, "=")
		value, _ := strconv.Atoi(text)
		switch name {
		case "stream-window":
			config.MaxReceiveBufferPerStream = value
		case "window":
			config.MaxReceiveBufferPerConnection = value
		case "decoder-table":
			config.MaxDecoderHeaderTableSize = value
		case "frame":
			config.MaxReadFrameSize = value
		}
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	plain := &http.Server{Handler: handler, Protocols: protocols, HTTP2: config}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go plain.Serve(listener)
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.Config.HTTP2 = config
	secure.TLS = &tls.Config{NextProtos: []string{"h2"}}
	secure.StartTLS()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port, secure.Listener.Addr().(*net.TCPAddr).Port,
		base64.StdEncoding.EncodeToString(secure.Certificate().Raw))
	io.Copy(io.Discard, os.Stdin)
}

func answerTo(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-") {
			for _, value := range values {
				w.Header().Add(name, value)
			}
		}
	}
	switch r.URL.Path {
	case "/early":
		w.WriteHeader(413)
	case "/abort":
		w.WriteHeader(200)
		w.Write([]byte("some"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "/hints":
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.WriteHeader(200)
		w.Write([]byte("after hints"))
	case "/none":
		w.WriteHeader(204)
	case "/padded":
		w.Header().Set("X-Padded", " a b ")
		w.WriteHeader(200)
	case "/hang":
		<-r.Context().Done()
	default:
		w.Header().Set("Trailer", "X-Count")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		count := echo(w, r)
		w.Header().Set("X-Count", strconv.Itoa(count))
	}
}

func echo(w http.ResponseWriter, r *http.Request) int {
	if r.URL.Path == "/slow" {
		time.Sleep(50 * time.Millisecond)
	}
	count := 0
	piece := make([]byte, 7000)
	for {
		n, err := r.Body.Read(piece)
		count += n
		w.Write(piece[:n])
		if err != nil {
			return count
		}
	}
}
