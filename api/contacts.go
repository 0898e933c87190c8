package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const contactsPath = tenantPath + "/contacts"

// AddressBook keeps who calls the companies.
type AddressBook interface {
	// Contact gives the zero Contact for a number that is not in the book.
	Contact(ctx context.Context, t pbx.TenantID, number string) (pbx.Contact, error)
	// Contacts lists those behind the number after, in order.
	Contacts(ctx context.Context, t pbx.TenantID, after string, limit int) ([]pbx.BookEntry, error)
	// PutContacts adds contacts, or puts them in the place of those of their number;
	// too many in all are a Limit error.
	PutContacts(ctx context.Context, t pbx.TenantID, list []pbx.BookEntry) error
	// DropContact is a NotFound error for one that is not there.
	DropContact(ctx context.Context, t pbx.TenantID, number string) error
}

type inContacts struct {
	InTenant
	InPage
}

// InContact are the path parameters of the routes below a contact.
type InContact struct {
	InTenant
	Number string `path:"number" maxLength:"64" doc:"Number, as people of the company's country write it"`
}

type inContact struct {
	InContact
	Body struct {
		_     struct{} `additionalProperties:"false"`
		Name  string   `json:"name,omitempty" maxLength:"128" doc:"Shown on the phone that rings when the CRM gives no name"`
		Owner string   `json:"owner,omitempty" maxLength:"10" doc:"Extension of the contact's manager: the owner where the CRM names none"`
	} `nameHint:"ContactBody"`
}

type inContactList struct {
	InTenant
	Body struct {
		_        struct{}     `additionalProperties:"false"`
		Contacts []newContact `json:"contacts" minItems:"1" maxItems:"10000" doc:"Each is put in the place of the one with its number"`
	} `nameHint:"ContactsBody"`
}

// newContact is an entry of the book as it is sent.
type newContact struct {
	_      struct{} `additionalProperties:"false"`
	Number string   `json:"number" minLength:"1" maxLength:"64" doc:"As people of the company's country write it"`
	Name   string   `json:"name,omitempty" maxLength:"128"`
	Owner  string   `json:"owner,omitempty" maxLength:"10"`
}

type contactOut struct {
	Body pbx.BookEntry
}

func (s *Server) addContacts() {
	handle(s, ReadContacts, huma.Operation{
		OperationID: "list-contacts", Method: http.MethodGet, Path: contactsPath,
		Tags: []string{"contacts"}, Summary: "Lists the address book of a company by number",
	}, s.contacts)
	handle(s, WriteContacts, huma.Operation{
		OperationID: "add-contacts", Method: http.MethodPost, Path: contactsPath, DefaultStatus: http.StatusNoContent,
		Tags: []string{"contacts"}, Summary: "Adds contacts to the address book, all or none of them",
	}, s.addContactList)
	handle(s, ReadContacts, huma.Operation{
		OperationID: "get-contact", Method: http.MethodGet, Path: contactsPath + "/{number}",
		Tags: []string{"contacts"}, Summary: "Gives the contact of a number",
	}, s.contact)
	handle(s, WriteContacts, huma.Operation{
		OperationID: "put-contact", Method: http.MethodPut, Path: contactsPath + "/{number}",
		Tags: []string{"contacts"}, Summary: "Adds a contact, or changes that of the number",
	}, s.putContact)
	handle(s, WriteContacts, huma.Operation{
		OperationID: "delete-contact", Method: http.MethodDelete, Path: contactsPath + "/{number}",
		Tags: []string{"contacts"}, Summary: "Removes a contact",
	}, s.deleteContact)
}

func (s *Server) contacts(ctx context.Context, q *request, in *inContacts) (*listOut[pbx.BookEntry], error) {
	after := ""
	if in.Cursor != "" {
		var err error
		if after, err = cursorKey(in.Cursor); err != nil {
			return nil, err
		}
	}
	list, err := s.c.Book.Contacts(ctx, q.tenant(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := List[pbx.BookEntry]{Items: append([]pbx.BookEntry{}, list[:min(len(list), in.Limit)]...)}
	if len(list) > in.Limit {
		out.Next = cursorOf(list[in.Limit-1].Number)
	}
	return &listOut[pbx.BookEntry]{Body: out}, nil
}

func (s *Server) addContactList(ctx context.Context, q *request, in *inContactList) (*struct{}, error) {
	list := make([]pbx.BookEntry, len(in.Body.Contacts))
	for i, e := range in.Body.Contacts {
		entry, err := q.company.Entry(pbx.BookEntry{Number: e.Number, Name: e.Name, Owner: e.Owner})
		if err != nil {
			return nil, within(fmt.Sprintf("contacts[%d]", i), err)
		}
		list[i] = entry
	}
	if err := s.c.Book.PutContacts(ctx, q.tenant(), list); err != nil {
		return nil, err
	}
	q.log.Info("contacts added", "tenant", q.tenant(), "who", q.who.Name, "contacts", len(list))
	return nil, nil
}

func (s *Server) contact(ctx context.Context, q *request, in *InContact) (*contactOut, error) {
	number := q.company.E164(plus(in.Number))
	c, err := s.c.Book.Contact(ctx, q.tenant(), number)
	if err != nil {
		return nil, err
	}
	if c == (pbx.Contact{}) {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such contact"}
	}
	return &contactOut{pbx.BookEntry{Number: number, Name: c.Name, Owner: c.Owner}}, nil
}

func (s *Server) putContact(ctx context.Context, q *request, in *inContact) (*contactOut, error) {
	entry, err := q.company.Entry(pbx.BookEntry{Number: plus(in.Number), Name: in.Body.Name, Owner: in.Body.Owner})
	if err != nil {
		return nil, err
	}
	if err := s.c.Book.PutContacts(ctx, q.tenant(), []pbx.BookEntry{entry}); err != nil {
		return nil, err
	}
	return &contactOut{entry}, nil
}

func (s *Server) deleteContact(ctx context.Context, q *request, in *InContact) (*struct{}, error) {
	return nil, s.c.Book.DropContact(ctx, q.tenant(), q.company.E164(plus(in.Number)))
}

// within says of an error of a part where the part is.
func within(path string, err error) error {
	if e, ok := errors.AsType[*pbx.Error](err); ok {
		return invalid(path+"."+e.Field, "%s", e.Msg)
	}
	return err
}
