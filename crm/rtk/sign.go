package rtk

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
)

// The headers that carry the identity of the sender and its signature.
const (
	HeaderID   = "X-Client-ID"
	HeaderSign = "X-Client-Sign"
)

// Sign gives the signature of a body: SHA-256 in lower-case hex over the client
// id, the body exactly as it is sent, and the key.
func Sign(clientID, key string, body []byte) string {
	h := sha256.New()
	io.WriteString(h, clientID) // a hash never fails to write
	h.Write(body)
	io.WriteString(h, key)
	return hex.EncodeToString(h.Sum(nil))
}

// Verify tells whether sign is the signature of a body as it was received. It
// takes the same time wherever the two differ.
func Verify(clientID, key string, body []byte, sign string) bool {
	return subtle.ConstantTimeCompare([]byte(Sign(clientID, key, body)), []byte(sign)) == 1
}
