package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

// sealVersion is the first byte of every sealed value. A value of another
// version reads as no session, never as a wrong one.
const sealVersion = 1

// errSealed means that a sealed value can't be opened: damaged, moved to
// another place, of an unknown version, or sealed under a key that is gone.
var errSealed = errors.New("session: sealed value does not open")

// A slot is where a sealed value belongs. It is bound to the value as
// associated data, so that a value moved to another session, from head to
// tokens or under another version does not open (J3).
type slot struct {
	bucket  string // one of bucket…
	key     Key
	version uint64 // of the tokens; 0 for heads
}

const (
	bucketHead   = "head"
	bucketTokens = "tokens"

	bucketRevocation = "revocation"
)

// seal returns version byte, key id, nonce, ciphertext and tag. Every value has
// a key of its own, derived from the server's newest key and either its place
// (head) or the ticket (tokens): random nonces never come near their limit, and
// tokens open only with the ticket at hand.
func (k *Keyring) seal(s slot, ticket *Ticket, plain []byte) ([]byte, error) {
	key := &k.keys[0]
	aead, err := valueCipher(key, s, ticket)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 9+len(plain)+aead.Overhead())
	out = append(out, sealVersion)
	out = append(out, key.id[:]...)
	return aead.Seal(out, nil, plain, s.associated(key.id)), nil
}

// open reverses seal. Its error is errSealed whatever the cause.
func (k *Keyring) open(s slot, ticket *Ticket, sealed []byte) ([]byte, error) {
	if len(sealed) < 9 || sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: unknown version", errSealed)
	}
	key, ok := k.find(keyID(sealed[1:9]))
	if !ok {
		return nil, fmt.Errorf("%w: sealed under a key that is not in keys_file", errSealed)
	}
	aead, err := valueCipher(key, s, ticket)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed[9:], s.associated(key.id))
	if err != nil {
		return nil, fmt.Errorf("%w: damaged or out of place", errSealed)
	}
	return plain, nil
}

// sealedBy returns which key a value was sealed under, without opening it.
func sealedBy(sealed []byte) (keyID, bool) {
	if len(sealed) < 9 || sealed[0] != sealVersion {
		return keyID{}, false
	}
	return keyID(sealed[1:9]), true
}

func (s slot) associated(id keyID) []byte {
	b := append([]byte{sealVersion}, id[:]...)
	b = append(b, s.bucket...)
	b = append(b, s.key[:]...)
	return binary.BigEndian.AppendUint64(b, s.version)
}

// valueCipher uses AES-256-GCM with a random nonce: cipher.NewGCM itself is
// refused in FIPS-only mode.
func valueCipher(key *serverKey, s slot, ticket *Ticket) (cipher.AEAD, error) {
	var valueKey []byte
	if s.bucket == bucketTokens {
		valueKey = ticket.derive(key.key[:], "seal")
	} else {
		valueKey = derive(key.key[:], s.key[:], "cloakroom seal "+s.bucket)
	}
	block, err := aes.NewCipher(valueKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
