// Package raw has the codec of peers whose messages are bytes: what they say of gRPC depends on no message of theirs.
package raw

// Codec takes and gives *[]byte.
type Codec struct{}

func (Codec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (Codec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// Name is that of protobuf: no peer is to see a difference.
func (Codec) Name() string { return "proto" }
