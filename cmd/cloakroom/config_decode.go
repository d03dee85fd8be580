package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills a [Config] from a YAML tree and complains about everything
// that doesn't fit. It exists beside the library's own decoder because that
// one stops at the first error, names the wrong field for a wrong type and
// quotes the lines around, secrets included.
type decoder struct {
	complaints
	env func(string) (string, bool)
}

// option is one value to be decoded: where it goes, what it is called, and the
// words it may have.
type option struct {
	value  reflect.Value
	key    string
	enum   []string
	single bool // a list whose only entry may stand alone
}

// decode puts node into o. An option with a problem keeps its default.
func (d *decoder) decode(node ast.Node, o option) {
	switch node := node.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		d.errorf(o.key, "anchors (&) and aliases (*) are not supported; write the value out, or quote it if it begins with that character")
		return
	case *ast.TagNode:
		d.errorf(o.key, "tags (!) are not supported; write the value without, or quote it if it begins with that character")
		return
	case *ast.NullNode:
		// A section whose lines are all commented out is one left out.
		if k := o.value.Kind(); k != reflect.Struct && k != reflect.Slice && k != reflect.Map {
			d.errorf(o.key, "has no value; give it one, or remove the line for the default")
		}
		return
	case *ast.MappingNode:
		d.mapping(node.Values, o)
		return
	case *ast.MappingValueNode:
		d.mapping([]*ast.MappingValueNode{node}, o)
		return
	case *ast.SequenceNode:
		d.sequence(node, o)
		return
	}
	if composite(o.value.Type()) {
		wanted := describe(o.value.Type())
		if o.single {
			wanted = "keys and values, such as {claim: groups, any: [admin]}, or a list of these"
		}
		d.errorf(o.key, "expected %s, found a single value", wanted)
		return
	}
	if err := d.scalar(node, o); err != nil {
		d.errorf(o.key, "%v", err)
	}
}

// composite reports whether t is written as a list or as keys and values.
func composite(t reflect.Type) bool {
	_, scalar := scalars[t]
	return !scalar && t.Kind() != reflect.String
}

// describe says in the operator's words what t is written as.
func describe(t reflect.Type) string {
	switch {
	case !composite(t):
		return "a single value"
	case t.Kind() == reflect.Slice:
		return `a list, such as [a, b] or lines that begin with "- "`
	default:
		return `keys and values, one "key: value" a line`
	}
}

func (d *decoder) mapping(pairs []*ast.MappingValueNode, o option) {
	t := o.value.Type()
	if o.single {
		o.value.Set(reflect.MakeSlice(t, 1, 1))
		entry := option{value: o.value.Index(0), key: o.key + "[0]"}
		d.at.keys[entry.key] = d.at.keys[o.key]
		d.mapping(pairs, entry)
		return
	}
	if !composite(t) || t.Kind() == reflect.Slice {
		d.errorf(o.key, "expected %s, found keys and values", describe(t))
		return
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		name, ok := d.keyName(pair, o.key)
		if !ok {
			continue
		}
		key := join(o.key, name)
		at := placeOf(pair.Key)
		if seen[name] {
			d.addAt(at, key, "is given twice; remove one of them")
			continue
		}
		seen[name] = true
		if t.Kind() == reflect.Map {
			d.at.keys[key] = at
			d.mapEntry(pair.Value, option{value: o.value, key: key}, name)
			continue
		}
		field, ok := fieldByKey(o.value, name)
		if !ok {
			d.unknownKey(at, key, t)
			continue
		}
		d.at.keys[key] = at
		field.key = key
		d.decode(pair.Value, field)
	}
}

var wordy = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// keyName returns the text of a pair's key. What looks like no key at all may
// be a value in the wrong place, so it is not repeated.
func (d *decoder) keyName(pair *ast.MappingValueNode, parent string) (string, bool) {
	text, ok := pair.Key.(*ast.StringNode)
	switch {
	case pair.Key.IsMergeKey():
		d.addAt(placeOf(pair.Key), parent, "merge keys (<<) are not supported; write the values out")
	case !ok:
		d.addAt(placeOf(pair.Key), parent, "expected a plain word as key")
	case !wordy.MatchString(text.Value):
		d.addAt(placeOf(pair.Key), parent, `not a key: letters, digits, "_" and "-" are; is there a value in its place?`)
	default:
		return text.Value, true
	}
	return "", false
}

func (d *decoder) mapEntry(node ast.Node, o option, name string) {
	value := reflect.New(o.value.Type().Elem()).Elem()
	d.decode(node, option{value: value, key: o.key})
	if o.value.IsNil() {
		o.value.Set(reflect.MakeMap(o.value.Type()))
	}
	o.value.SetMapIndex(reflect.ValueOf(name), value)
}

func (d *decoder) sequence(node *ast.SequenceNode, o option) {
	t := o.value.Type()
	if t.Kind() != reflect.Slice {
		d.errorf(o.key, "expected %s, found a list", describe(t))
		return
	}
	list := reflect.MakeSlice(t, len(node.Values), len(node.Values))
	for i, item := range node.Values {
		entry := option{value: list.Index(i), key: fmt.Sprintf("%s[%d]", o.key, i), enum: o.enum}
		d.at.keys[entry.key] = placeOf(item)
		if v, ok := entry.value.Addr().Interface().(interface{ setDefaults() }); ok {
			v.setDefaults()
		}
		if item.Type() == ast.NullType {
			d.errorf(entry.key, "this list entry is empty; remove it")
			continue
		}
		d.decode(item, entry)
	}
	if len(node.Values) == 0 {
		list = reflect.Zero(t) // an empty list and none at all are the same
	}
	o.value.Set(list)
}

// placeOf returns where node begins. A block mapping's own token is its first
// colon, so its first key speaks for it.
func placeOf(node ast.Node) place {
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	if m, ok := node.(*ast.MappingValueNode); ok {
		node = m.Key
	}
	if tk := node.GetToken(); tk != nil && tk.Position != nil {
		return place{tk.Position.Line, tk.Position.Column}
	}
	return place{}
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// fieldByKey returns the field of struct v that is called name in YAML.
func fieldByKey(v reflect.Value, name string) (option, bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if tag := f.Tag.Get("yaml"); tag != "" && tag == name {
			o := option{value: v.Field(i), single: f.Tag.Get("single") != ""}
			if words := f.Tag.Get("enum"); words != "" {
				o.enum = strings.Split(words, ",")
			}
			return o, true
		}
	}
	return option{}, false
}

// unknownKey complains about key, which struct t doesn't have, and says what
// might have been meant: a like name there, or the same name elsewhere.
func (d *decoder) unknownKey(at place, key string, t reflect.Type) {
	parent, name := "", key
	if dot := strings.LastIndexByte(key, '.'); dot >= 0 {
		parent, name = key[:dot], key[dot+1:]
	}
	var here []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			here = append(here, tag)
		}
	}
	if meant, ok := nearest(name, here); ok {
		d.meant[join(parent, meant)] = true
		d.addAt(at, key, fmt.Sprintf("unknown key; did you mean %q?", meant))
		return
	}
	for _, known := range Keys() {
		if strings.HasSuffix("."+known, "."+name) {
			d.addAt(at, key, fmt.Sprintf("unknown key here; did you mean %s?", known))
			return
		}
	}
	slices.Sort(here)
	d.addAt(at, key, "unknown key; known here: "+strings.Join(here, ", "))
}

// Keys returns the path of every option there is, such as
// "session.cookie.name" and "routes[].path", in the order of [Config].
func Keys() []string { return keysOf(reflect.TypeFor[Config](), "") }

func keysOf(t reflect.Type, parent string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("yaml") == "" {
			continue
		}
		key := join(parent, f.Tag.Get("yaml"))
		out = append(out, key)
		switch ft := f.Type; {
		case composite(ft) && ft.Kind() == reflect.Struct:
			out = append(out, keysOf(ft, key)...)
		case composite(ft) && ft.Kind() == reflect.Slice && composite(ft.Elem()):
			out = append(out, keysOf(ft.Elem(), key+"[]")...)
		}
	}
	return out
}
