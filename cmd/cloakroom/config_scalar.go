package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// scalars reads the types that are more than text. Errors say what is
// expected and never what was found.
var scalars = map[reflect.Type]func(string) (any, error){
	reflect.TypeFor[bool]():          parseBool,
	reflect.TypeFor[int]():           parseInt,
	reflect.TypeFor[time.Duration](): parseDuration,
	reflect.TypeFor[Size]():          parseSizeOption,
	reflect.TypeFor[*url.URL]():      parseURL,
	reflect.TypeFor[netip.Prefix]():  parsePrefix,
}

// scalar puts a single value into o.
func (d *decoder) scalar(node ast.Node, o option) error {
	t := o.value.Type()
	parse, special := scalars[t]
	var text string
	switch node := node.(type) {
	case *ast.StringNode:
		text = node.Value
	case *ast.LiteralNode:
		text = node.Value.Value
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		if !special {
			return errors.New("expected text, found a number or true/false; put it in quotes")
		}
		text = node.GetToken().Value
	default:
		return errors.New("expected a single value")
	}
	text, err := expand(text, d.env)
	if err != nil {
		return err
	}
	if special {
		v, err := parse(text)
		if err != nil {
			return err
		}
		o.value.Set(reflect.ValueOf(v))
		return nil
	}
	if o.enum != nil {
		if err := oneOf(text, o.enum); err != nil {
			return err
		}
	}
	o.value.SetString(text)
	return nil
}

func oneOf(text string, words []string) error {
	for _, w := range words {
		if w == text {
			return nil
		}
	}
	err := fmt.Errorf("must be one of %s", strings.Join(words, ", "))
	if meant, ok := nearest(text, words); ok {
		err = fmt.Errorf("%w; did you mean %q?", err, meant)
	}
	return err
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} by the environment's value, and $${ by ${. The
// result is not expanded again and never read as YAML.
func expand(text string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			out.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		name, rest, ok := strings.Cut(text[i+2:], "}")
		if !ok || !envName.MatchString(name) {
			return "", errors.New("${ must be followed by an environment variable's name and }; write $${ for a plain ${")
		}
		value, ok := env(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set; set it, or write $${ for a plain ${", name)
		}
		out.WriteString(text[:i] + value)
		text = rest
	}
}

func parseBool(s string) (any, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, errors.New("must be true or false")
}

var plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})$`)

func parseInt(s string) (any, error) {
	if !plainNumber.MatchString(s) {
		return nil, errors.New("must be a whole number, such as 20")
	}
	n, err := strconv.Atoi(s)
	return n, err
}

func parseDuration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil && plainNumber.MatchString(s):
		return nil, errors.New("the unit is missing; write 30s, 5m or 12h")
	case err != nil:
		return nil, errors.New("must be a duration, such as 30s, 5m or 1h30m")
	case d < 0:
		return nil, errors.New("must not be negative")
	}
	return d, nil
}

func parseSizeOption(s string) (any, error) {
	size, ok := ParseSize(s)
	if !ok && s != "0" {
		return nil, errors.New("must be a size, such as 32KiB or 10MiB")
	}
	return size, nil
}

func parsePrefix(s string) (any, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if _, err := netip.ParseAddr(s); err == nil {
			return nil, errors.New("the prefix length is missing; a single IPv4 address ends in /32, an IPv6 address in /128")
		}
		return nil, errors.New("must be a network, such as 10.0.0.0/8 or fd00::/8")
	}
	if p != p.Masked() {
		return nil, fmt.Errorf("has bits set behind the first %d; write the network's own address, which ends in zeros", p.Bits())
	}
	return p, nil
}
