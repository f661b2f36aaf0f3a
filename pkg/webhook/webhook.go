// Package webhook has the nouns of the project: an event type, the catalog of
// types, and one delivery of an event.
//
// It depends on the standard library only. It must not know how a payload is
// judged, sent, received or printed, and it must not name an event type: what
// there is comes from the folders that [LoadCatalog] is given.
package webhook

import (
	"slices"
	"time"
)

// A Type is one event type, as a sample and the schema of its payloads.
type Type struct {
	// Name is what a user calls the type: the base name of its files, with
	// the family and a slash before it where there is one.
	Name string

	// Family is the folder that the type was found in, relative to the root
	// of its file system; it is empty for the root itself. Types of one
	// family share an envelope.
	Family string

	// Property and Value say which payloads are of this type: those whose
	// top-level member Property is the string Value.
	Property, Value string

	// Description is the description of the schema: when the event fires.
	Description string

	// Sample is the documented example of a payload, to the byte.
	Sample []byte

	// Schema is the source of the JSON Schema of the payload.
	Schema []byte

	// SampleFile and SchemaFile name the files that the two were read from,
	// for messages.
	SampleFile, SchemaFile string
}

// A Delivery is one HTTP request that carried, or will carry, a payload.
type Delivery struct {
	// ID numbers the deliveries of one receiver in the order in which they
	// were accepted, from 1.
	ID uint64

	// Received is when the whole request had been read.
	Received time.Time

	// RemoteAddr is the address that the request came from, as host:port.
	RemoteAddr string

	// Method is the HTTP method.
	Method string

	// URL is the request target as it was sent: path and query for a
	// delivery that was received, an absolute URL for one to be sent.
	URL string

	// Header holds the header fields under their canonical names, with
	// all values in the order in which they came.
	Header map[string][]string

	// Body is the body to the byte. Nobody may change it.
	Body []byte

	// Status is the HTTP status with which a delivery that was received is
	// answered.
	Status int
}

// A Catalog is a set of event types. It is not changed after it was loaded, so
// it can be used by several goroutines.
type Catalog struct {
	types  []*Type // sorted by name
	byName map[string]*Type
	byKey  map[key]*Type
}

type key struct{ property, value string }

// Types returns all types, sorted by name. The caller must not change them.
func (c *Catalog) Types() []*Type { return c.types }

// Names returns the names of all types, sorted.
func (c *Catalog) Names() []string {
	names := make([]string, len(c.types))
	for i, t := range c.types {
		names[i] = t.Name
	}
	return names
}

// Lookup returns the type with that name.
func (c *Catalog) Lookup(name string) (*Type, bool) {
	t, ok := c.byName[name]
	return t, ok
}

// Match returns the type of the payloads that have the string value in the
// top-level member property.
func (c *Catalog) Match(property, value string) (*Type, bool) {
	t, ok := c.byKey[key{property, value}]
	return t, ok
}

// Properties returns the names of the top-level members that tell types apart,
// sorted: one for each envelope that the catalog holds.
func (c *Catalog) Properties() []string {
	var names []string
	for _, t := range c.types {
		if !slices.Contains(names, t.Property) {
			names = append(names, t.Property)
		}
	}
	slices.Sort(names)
	return names
}
