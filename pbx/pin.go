package pbx

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// A PIN has so few digits that no number of rounds keeps it from who has the hash; the
// rounds keep it from eyes, and a thousand extensions from taking seconds to apply.
const pinRounds = 4096

// HashPIN gives what is kept of a PIN, with a salt of its own.
func HashPIN(pin string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum, err := derivePIN(pin, salt)
	if err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(sum), nil
}

// KnowsPIN tells whether pin is the one that hash was made of.
func KnowsPIN(hash, pin string) bool {
	first, second, _ := strings.Cut(hash, "$")
	salt, err1 := base64.RawStdEncoding.DecodeString(first)
	want, err2 := base64.RawStdEncoding.DecodeString(second)
	if err1 != nil || err2 != nil || len(want) != sha256.Size || pin == "" {
		return false
	}
	sum, err := derivePIN(pin, salt)
	return err == nil && subtle.ConstantTimeCompare(sum, want) == 1
}

func derivePIN(pin string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, pin, salt, pinRounds, sha256.Size)
}

// GoodPIN tells whether digits can be a PIN: 4 to 12 digits.
func GoodPIN(pin string) bool {
	return len(pin) >= 4 && len(pin) <= 12 && strings.Trim(pin, "0123456789") == ""
}
