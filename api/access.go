package api

import "vpbx/pbx"

// Role says what the holder of a token may do.
type Role string

// The roles. An administrator runs the PBX: every company, and which companies
// there are. A tenant's token is for everything inside one company.
const (
	RoleAdmin  Role = "admin"
	RoleTenant Role = "tenant"
)

// Principal is who makes a request.
type Principal struct {
	Name   string       // of the token, for the log
	Role   Role         //
	Tenant pbx.TenantID // of RoleTenant: its company
}

// Permission is what a route asks of the principal.
type Permission string

// The permissions: a closed set, every route has exactly one.
const (
	Open              Permission = "open" // no token: health and metrics
	ReadAPI           Permission = "api.read"
	ListTenants       Permission = "tenants.list"
	ReadTenant        Permission = "tenant.read"
	WriteTenant       Permission = "tenant.write"
	WriteLimits       Permission = "tenant.limits" // not of a route: within WriteTenant
	RemoveTenant      Permission = "tenant.remove"
	ReadRegistrations Permission = "registrations.read"
	ReadCalls         Permission = "calls.read"
	ControlCalls      Permission = "calls.control"
	ReadRecordings    Permission = "recordings.read"
	RemoveRecordings  Permission = "recordings.remove"
	ReadPrompts       Permission = "prompts.read"
	WritePrompts      Permission = "prompts.write"
	ReadEvents        Permission = "events.read"
	CaptureSIP        Permission = "sip.capture"
	ReadDeliveries    Permission = "deliveries.read"
	RetryDeliveries   Permission = "deliveries.retry"
	ReadICE           Permission = "ice.read"
	ReadVoicemail     Permission = "voicemail.read"
	WriteVoicemail    Permission = "voicemail.write"
	TryRoute          Permission = "route.try"
	ReadContacts      Permission = "contacts.read"
	WriteContacts     Permission = "contacts.write"
	ReadAmo           Permission = "amocrm.read"
	WriteAmo          Permission = "amocrm.write"
	ReadIntegration   Permission = "integration.read"
	TestIntegration   Permission = "integration.test" // and sign
	RenewKeys         Permission = "integration.keys"
	ReadExchanges     Permission = "integration.log.read"
	DebugIntegration  Permission = "integration.log.write" // begin and end it, clear it
	ReadCampaigns     Permission = "campaigns.read"
	WriteCampaigns    Permission = "campaigns.write" // their settings and lists, start and pause
)

// grants is the one table of who may do what. A tenant has a permission for
// its own company only; which companies there are is not a company's business.
var grants = map[Role]map[Permission]bool{
	RoleAdmin: {
		ReadAPI: true, ListTenants: true, ReadTenant: true, WriteTenant: true, WriteLimits: true, RemoveTenant: true,
		ReadRegistrations: true, ReadCalls: true, ControlCalls: true, ReadRecordings: true, RemoveRecordings: true, ReadEvents: true, CaptureSIP: true, ReadICE: true,
		ReadDeliveries: true, RetryDeliveries: true,
		ReadPrompts: true, WritePrompts: true,
		ReadVoicemail: true, WriteVoicemail: true,
		TryRoute: true, ReadContacts: true, WriteContacts: true,
		ReadAmo: true, WriteAmo: true,
		ReadIntegration: true, TestIntegration: true, RenewKeys: true, ReadExchanges: true, DebugIntegration: true,
		ReadCampaigns: true, WriteCampaigns: true,
	},
	RoleTenant: {
		ReadAPI: true, ReadTenant: true, WriteTenant: true,
		ReadRegistrations: true, ReadCalls: true, ControlCalls: true, ReadRecordings: true, RemoveRecordings: true, ReadEvents: true, CaptureSIP: true, ReadICE: true,
		ReadDeliveries: true, RetryDeliveries: true,
		ReadPrompts: true, WritePrompts: true,
		ReadVoicemail: true, WriteVoicemail: true,
		TryRoute: true, ReadContacts: true, WriteContacts: true,
		ReadAmo: true, WriteAmo: true,
		ReadIntegration: true, TestIntegration: true, RenewKeys: true, ReadExchanges: true, DebugIntegration: true,
		ReadCampaigns: true, WriteCampaigns: true,
	},
}

// known says whether p is one of the permissions.
func (p Permission) known() bool { return p == Open || grants[RoleAdmin][p] }

// Allow says whether a principal may do what p names to the company t; t is ""
// for what belongs to no company. The error is NotFound for another company
// than the principal's own, so that nobody learns which companies exist, and
// Denied for what its role does not hold. It is the only place that decides on
// access.
func Allow(who Principal, t pbx.TenantID, p Permission) error {
	if p == Open {
		return nil
	}
	if who.Role != RoleAdmin && t != "" && (who.Tenant == "" || t != who.Tenant) {
		return noCompany()
	}
	if !grants[who.Role][p] {
		return &pbx.Error{Kind: pbx.Denied, Msg: "this token does not allow that"}
	}
	return nil
}
