package config

import (
	"encoding"
	"errors"
	"reflect"
	"strings"

	"vpbx/internal/strict"
)

// prefix begins the name of every variable.
const prefix = "VPBX"

// variables are the keys whose value came from the environment, by path.
type variables map[string]string

// override sets every key whose variable is in environ. Lists are written with
// commas. Other variables that begin with VPBX_ are left alone: a container
// platform makes such ones up for a service of that name.
func (c *Config) override(doc *strict.Doc, environ []string) variables {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	used := variables{}
	eachKey(reflect.ValueOf(c).Elem(), "", prefix, func(path, name string, field reflect.Value) {
		value, ok := values[name]
		if !ok {
			return
		}
		used[path] = name
		before := reflect.New(field.Type()).Elem()
		before.Set(field)
		err := strict.DecodeText(value, field.Addr().Interface())
		if ms, ok := errors.AsType[strict.Mistakes](err); ok {
			for _, m := range ms {
				doc.Add(name+m.Path, "%s", m.Msg)
			}
			field.Set(before)
		}
	})
	return used
}

// rename turns the path of a key into the name of the variable that set it.
func (v variables) rename(path string) string {
	key, index, inList := strings.Cut(path, "[")
	name, ok := v[key]
	if !ok {
		return path
	}
	if inList {
		return name + "[" + index
	}
	return name
}

// eachKey calls f for every key below the struct v that holds one value or a
// list.
func eachKey(v reflect.Value, path, name string, f func(path, name string, field reflect.Value)) {
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		at := strings.TrimPrefix(path+"."+key, ".")
		variable := name + "_" + strings.ToUpper(key)
		field := v.Field(i)
		_, single := field.Addr().Interface().(encoding.TextUnmarshaler)
		if field.Kind() == reflect.Struct && !single {
			eachKey(field, at, variable, f)
			continue
		}
		f(at, variable, field)
	}
}
