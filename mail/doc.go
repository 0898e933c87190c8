// Package mail sends e-mails through a mail server.
//
// What it is: a [Sender], which takes e-mails from a durable [Queue] and gives them to
// one SMTP server (RFC 5321), by STARTTLS (RFC 3207), TLS from the start (RFC 8314) or in
// clear, with a login where there is one (RFC 4954). A server that does not answer is
// tried again, less and less often; what a server refuses for good, or does not take for
// days, is given up and stays in the queue for somebody to look at.
//
// What it is not: it writes no texts, keeps nothing, and receives no mail.
//
// Who owns which goroutine: Start begins one, which sends one e-mail after the other;
// Close ends it and waits.
//
// Invariants: an e-mail is sent at least once: again when the process dies between the
// answer of the server and the note of it, with the same Message-ID. Text from outside
// cannot add a header or an address. Of what a server says no more than a bounded part is
// read, and nothing that may hold our password is kept. While the server is down it is
// asked once in a while, not once for each e-mail.
//
// Where the tests are: mail_test.go talks with a real SMTP server in memory, that refuses,
// hangs and lies; the way of a voice message to a mailbox is in the flows and in
// internal/e2e.
package mail
