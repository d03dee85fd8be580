package main

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// renewalNotice is how long before its end a certificate is worth a warning.
const renewalNotice = 14 * 24 * time.Hour

// inspect looks at everything on this machine that cfg refers to: keys,
// certificates, folders. It opens no socket and leaves nothing behind. now is
// what certificates are held against.
func inspect(cfg *Config, now time.Time) Problems {
	c := &complaints{at: cfg.at}
	c.keysFile(cfg)
	c.storeFile(cfg.Store.Bolt.Path)
	c.adminToken(cfg)
	if cfg.TLS.Enabled() {
		c.certificate(cfg, now)
	}
	c.files(cfg)
	c.spa(cfg.SPA.Dir)
	c.pages(cfg)
	c.published(cfg)
	return c.sorted().outside()
}

func (c *complaints) keysFile(cfg *Config) {
	const key = "keys_file"
	_, err := readKeyring(cfg.KeysFile)
	var lost hinted
	switch {
	case errors.As(keysLost(cfg, err), &lost):
		c.errorf(key, "%v; %s", lost, lost.hint)
	case errors.Is(err, os.ErrNotExist):
		c.writableFor(key, cfg.KeysFile) // the first start makes it
	case err != nil:
		c.unreadable(key, cfg.KeysFile, err)
	default:
		c.privateFile(key, cfg.KeysFile)
	}
}

func (c *complaints) storeFile(file string) {
	const key = "store.bolt.path"
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.writableFor(key, file)
	case err != nil:
		c.unreadable(key, file, pathCause(err))
	default:
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			c.errorf(key, "is not a regular file")
		}
		_ = f.Close()
		c.mark(key, file+".mark")
		c.writableFor(key, file)
	}
}

// mark looks whether the store's mark can be read: without one a start would take
// the store for an old copy.
func (c *complaints) mark(key, file string) {
	f, err := os.Open(file)
	switch {
	case err == nil:
		_ = f.Close()
	case !errors.Is(err, os.ErrNotExist):
		c.unreadable(key, file, pathCause(err))
	}
}

func (c *complaints) adminToken(cfg *Config) {
	const key = "admin.token_file"
	file := cfg.Admin.TokenFile
	// First, as what is wrong with another secret's file is nothing to mend here.
	if other, ok := sharedWith(cfg, key, file); ok {
		c.errorf(key, "is the same file as %s; name one of its own, such as data/admin-token", cmp.Or(other, "this configuration"))
		return
	}
	_, err := readAdminToken(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.writableFor(key, file) // the first start makes it
	case err != nil:
		c.unreadable(key, file, err)
	default:
		c.privateFile(key, file)
	}
}

// writableFor tries whether a file can be made beside file, or in the nearest
// folder above that exists.
func (c *complaints) writableFor(key, file string) {
	dir := filepath.Dir(file)
	for {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".cloakroom-check-*")
	if err != nil {
		if whole, err := filepath.Abs(dir); err == nil {
			dir = whole
		}
		c.errorf(key, "no file can be made in %s: %v; check that folder's owner and mode", dir, pathCause(err))
		return
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		c.errorf(key, "%v", pathCause(err))
	}
}

func (c *complaints) certificate(cfg *Config, now time.Time) {
	const certKey, keyKey = "tls.cert_file", "tls.key_file"
	cert, err := readLimited(cfg.TLS.CertFile, maxPEM)
	if err != nil {
		c.unreadable(certKey, cfg.TLS.CertFile, err)
	}
	key, keyErr := readLimited(cfg.TLS.KeyFile, maxSecret)
	if keyErr != nil {
		c.unreadable(keyKey, cfg.TLS.KeyFile, keyErr)
	}
	if err != nil || keyErr != nil {
		return
	}
	c.privateFile(keyKey, cfg.TLS.KeyFile)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		c.errorf(certKey, "certificate and key can't be used together: %v", err)
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		c.errorf(certKey, "%v", err)
		return
	}
	switch {
	case now.After(leaf.NotAfter):
		c.errorf(certKey, "the certificate ended at %s; renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		c.errorf(certKey, "the certificate begins at %s only; is this machine's clock right?", leaf.NotBefore.UTC().Format(time.RFC3339))
	case leaf.NotAfter.Sub(now) < renewalNotice:
		c.warnf(certKey, "the certificate ends at %s; renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if leaf.VerifyHostname(cfg.PublicURL.Hostname()) != nil {
		c.warnf(certKey, "the certificate is not for the host of public_url; browsers that connect directly will refuse it")
	}
}

// files looks at the keys and bundles of providers and routes.
func (c *complaints) files(cfg *Config) {
	signers := map[string]int{} // by public key
	for i, p := range cfg.Providers {
		key := fmt.Sprintf("providers[%d]", i)
		c.bundle(key+".ca_file", p.CAFile)
		if p.PrivateKeyFile == "" {
			continue
		}
		signer, err := readSigner(p.PrivateKeyFile)
		if err != nil {
			c.unreadable(key+".private_key_file", p.PrivateKeyFile, err)
			continue
		}
		if first, twice := signers[keyText(signer)]; twice {
			c.errorf(key+".private_key_file", "holds the same key as that of providers[%d]; give each provider a key of its own", first)
		} else {
			signers[keyText(signer)] = i
		}
		c.privateFile(key+".private_key_file", p.PrivateKeyFile)
	}
	for i, r := range cfg.Routes {
		c.bundle(fmt.Sprintf("routes[%d].upstream_tls.ca_file", i), r.UpstreamTLS.CAFile)
	}
}

// keyText is the same for two files if they hold the same key, in whatever form.
func keyText(signer crypto.Signer) string {
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return "" // not of the kinds that readSigner returns
	}
	return string(public)
}

func (c *complaints) bundle(key, file string) {
	if file == "" {
		return
	}
	if _, err := readCAs(file); err != nil {
		c.unreadable(key, file, err)
	}
}

func (c *complaints) spa(dir string) {
	const key = "spa.dir"
	if dir == "" {
		return
	}
	if info, err := os.Stat(dir); err != nil {
		c.unreadable(key, dir, fmt.Errorf("%w; build the app first", pathCause(err)))
	} else if !info.IsDir() {
		c.errorf(key, "is not a folder")
	} else {
		c.page(key, filepath.Join(dir, "index.html"))
	}
}

// page looks whether the app's page can be read.
func (c *complaints) page(key, file string) {
	f, err := os.Open(file)
	if err == nil {
		defer func() { _ = f.Close() }()
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.errorf(key, "there is no index.html in it; is this the folder that the app's build makes?")
	case err != nil:
		c.unreadable(key, file, pathCause(err))
	default:
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			c.errorf(key, "index.html in it is no file; is this the folder that the app's build makes?")
		}
	}
}
