package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxExpression is the length of the longest expression, in bytes.
const maxExpression = 4096

// ErrExpression reports SQL that is not one expression over one row.
var ErrExpression = errors.New("not an expression over one row")

// CheckExpression refuses SQL that could be more than an expression over the columns of one row: a second statement, a
// comment that swallows the rest, a parenthesis that closes ours, a subquery or window that sees other rows, a function
// whose value differs from run to run. Whether names and types fit is for the engine to say.
func CheckExpression(sql string) error {
	if strings.TrimSpace(sql) == "" {
		return fmt.Errorf("empty: %w", ErrExpression)
	}
	if len(sql) > maxExpression {
		return fmt.Errorf("%d bytes, more than %d: %w", len(sql), maxExpression, ErrExpression)
	}
	s := scanner{sql: sql}
	for s.at < len(sql) {
		if err := s.next(); err != nil {
			return fmt.Errorf("%w: %w", err, ErrExpression)
		}
	}
	if len(s.open) > 0 {
		return fmt.Errorf("%q is not closed: %w", s.open[len(s.open)-1], ErrExpression)
	}
	return nil
}

type scanner struct {
	sql   string
	at    int
	open  []byte // brackets, innermost last
	begun bool   // whether the innermost bracket has content yet
	last  byte   // before what is read now, white space aside
}

func (s *scanner) next() error {
	rest := s.sql[s.at:]
	c := rest[0]
	if strings.IndexByte(" \t\r\n", c) >= 0 {
		s.at++
		return nil
	}
	first, last := !s.begun, s.last
	s.begun, s.last = true, c
	switch {
	case strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*"):
		return errors.New("comments are not allowed")
	case c == '*' && (first || !endsOperand(last)):
		return errors.New("* is allowed between two values only")
	case c == '\'':
		return s.text()
	case c == '"':
		return s.quoted()
	case isLetter(c):
		return s.word(first)
	case c == '(' || c == '[' || c == '{':
		s.open = append(s.open, c)
		s.begun = false
		s.at++
		return nil
	case c == ')' || c == ']' || c == '}':
		return s.close(c)
	case strings.IndexByte("+-*/%^<>=!|&~,.:", c) >= 0 || isDigit(c):
		s.at++
		return nil
	default:
		return fmt.Errorf("%q is not allowed", c)
	}
}

// text skips a string. A doubled quote is two strings side by side, which comes to the same.
func (s *scanner) text() error {
	if s.at > 0 && (isLetter(s.sql[s.at-1]) || isDigit(s.sql[s.at-1])) {
		return errors.New("prefixed strings such as E'…' are not allowed: put a space before the quote of a typed literal")
	}
	end := strings.IndexByte(s.sql[s.at+1:], '\'')
	if end < 0 {
		return errors.New("string is not closed")
	}
	s.at += end + 2
	return nil
}

func (s *scanner) quoted() error {
	end := strings.IndexByte(s.sql[s.at+1:], '"')
	if end < 0 {
		return errors.New("quoted name is not closed")
	}
	name := s.sql[s.at+1 : s.at+1+end]
	if !identifier.MatchString(name) || strings.HasPrefix(s.sql[s.at+end+2:], `"`) {
		return fmt.Errorf("quoted name %q: want letters, digits and underscores", name)
	}
	s.at += end + 2
	return s.call(name)
}

func (s *scanner) word(first bool) error {
	from := s.at
	for s.at < len(s.sql) && (isLetter(s.sql[s.at]) || isDigit(s.sql[s.at])) {
		s.at++
	}
	name := s.sql[from:s.at]
	switch {
	case first && among(queryWords, name):
		return fmt.Errorf("a query (%s …) is not allowed: an expression sees one row", name)
	case among(forbiddenWords, name):
		return fmt.Errorf("%s is not allowed: it sees other rows, or differs from run to run", name)
	}
	return s.call(name)
}

// call checks name where it is called as a function.
func (s *scanner) call(name string) error {
	after := strings.TrimLeft(s.sql[s.at:], " \t\r\n")
	if strings.HasPrefix(after, "(") && among(forbiddenFunctions, name) {
		return fmt.Errorf("%s() is not allowed: it makes rows, looks outside the row, or differs from run to run", name)
	}
	return nil
}

func (s *scanner) close(c byte) error {
	opens := map[byte]byte{')': '(', ']': '[', '}': '{'}[c]
	if len(s.open) == 0 || s.open[len(s.open)-1] != opens {
		return fmt.Errorf("%q closes nothing", c)
	}
	s.open = s.open[:len(s.open)-1]
	s.at++
	return nil
}

// endsOperand reports whether an operator may follow c.
func endsOperand(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte(`'")]}`, c) >= 0
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// among reports whether word, in any case, is one of the words of list.
func among(list, word string) bool {
	return slices.Contains(strings.Fields(list), strings.ToLower(word))
}

// queryWords begin a query. Elsewhere they are harmless, as in extract(hour FROM t).
const queryWords = "from select values with table describe desc show summarize pivot unpivot pragma"

// forbiddenWords mean something without parentheses too. A field of such a name is written in double quotes.
const forbiddenWords = `select over user
	current_date current_time current_timestamp localtime localtimestamp
	current_user session_user current_catalog current_schema current_role`

// forbiddenFunctions are DuckDB's volatile functions, those that depend on the moment or on the session, and those that
// make more or fewer rows. A test of the engine compares this list with the engine's own.
const forbiddenFunctions = `
	age ago now today get_current_time get_current_timestamp transaction_timestamp
	current_localtime current_localtimestamp current_date current_schema current_schemas current_database current_catalog
	current_connection_id current_query current_query_id current_transaction_id current_setting getvariable getenv
	in_search_path pg_conf_load_time pg_postmaster_start_time txid_current version stats write_log error sleep_ms pg_sleep
	random setseed uuid uuidv4 uuidv7 gen_random_uuid nextval currval
	any some all columns unnest generate_subscripts regexp_split_to_table query query_table exists`
