package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// maxPEM bounds keys, certificates and bundles: the system's own CA bundle has
// some 200 KiB.
const maxPEM = 4 << 20

// errNoKey means that a key file can be read and holds no key.
var errNoKey = errors.New("there is no key; make one with: cloakroom keys new")

// readKeyring returns the server keys in file.
func readKeyring(file string) (*session.Keyring, error) {
	data, err := readLimited(file, maxSecret)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeyring(file, data)
	if err != nil && !errors.Is(err, errNoKey) {
		return nil, fmt.Errorf("%w; restore the key file that was used with the store; if there is no store yet, make one with: cloakroom keys new", err)
	}
	return keys, err
}

// parseKeyring reads the content of a key file. Its errors name file and line,
// never what stands there.
func parseKeyring(file string, data []byte) (*session.Keyring, error) {
	keys, err := session.ParseKeyring(data)
	if err != nil && blank(data) {
		return nil, fmt.Errorf("%s: %w", file, errNoKey)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), session.ErrKeys.Error()+": "))
	}
	return keys, nil
}

// blank reports whether a key file has no line but empty ones and comments.
func blank(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// keysLost reports that err, from reading the key file, means that there is no
// key although there is a store: a new one would open nothing in it, and so sign
// everybody out.
func keysLost(cfg *Config, err error) error {
	empty := errors.Is(err, errNoKey)
	if !empty && !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if info, err := os.Stat(cfg.Store.Bolt.Path); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	if empty {
		return misfit{hinted{fmt.Errorf("%s holds no key, but %s was sealed with one", cfg.KeysFile, cfg.Store.Bolt.Path), restoreKeys + ", and so does the empty key file"}}
	}
	return misfit{hinted{fmt.Errorf("%s is missing, but %s was sealed with it", cfg.KeysFile, cfg.Store.Bolt.Path), restoreKeys}}
}

// restoreKeys is what to do when keys and store do not belong together.
const restoreKeys = "restore the key file that was used with this store; if it is lost, move the store aside: everybody signs in again. Its .mark goes with it"

// readSigner returns the private key in a PEM file: PKCS #8, PKCS #1 or SEC 1;
// RSA from 2048 bits on, ECDSA on P-256 or P-384, or Ed25519.
func readSigner(file string) (crypto.Signer, error) {
	data, err := readLimited(file, maxSecret)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("the file holds no PEM block (-----BEGIN PRIVATE KEY-----)")
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the key has a passphrase; remove it with: openssl pkey -in OLD -out NEW, and protect the file by its mode")
	}
	// The parsers' own errors are left out: they may say something of the key.
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if err != nil {
		key, err = x509.ParseECPrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("the file holds no private key that can be read; make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
	}
	return strongKey(key)
}

func strongKey(key any) (crypto.Signer, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return nil, fmt.Errorf("the RSA key has %d bits; take one of 2048 or more", key.N.BitLen())
		}
		return key, nil
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return nil, errors.New("the EC key must be on P-256 or P-384")
		}
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, errors.New("the key must be RSA, EC (P-256 or P-384) or Ed25519")
}

// readCAs returns the authorities in a PEM bundle. They replace the system's.
func readCAs(file string) (*x509.CertPool, error) {
	data, err := readLimited(file, maxPEM)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("the file holds no PEM certificate")
	}
	return pool, nil
}
