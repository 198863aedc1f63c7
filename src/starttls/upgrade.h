/* upgrade.h: the inside of the dialogue that ends in TLS. */
#ifndef CINCH_STARTTLS_UPGRADE_H
#define CINCH_STARTTLS_UPGRADE_H

#include "starttls/xml.h"

#include <cinch/starttls.h>

/* What a peer can make us keep: enough for every honest server, little for a hostile one. */
enum {
    CINCH_UPGRADE_LINE = 4096,   /* one line, tag or message */
    CINCH_UPGRADE_TOTAL = 32768, /* everything until TLS */
    CINCH_UPGRADE_HEARD = 400,   /* the last bytes that came, for the error */
    CINCH_UPGRADE_SAY = 1024,    /* one request of ours */
    CINCH_UPGRADE_NAME = 255     /* the longest name of ours */
};

/* Which answer is waited for. */
typedef enum cinch_upgrade_step {
    CINCH_STEP_GREETING, /* the server's first words */
    CINCH_STEP_OFFER,    /* what it can do */
    CINCH_STEP_CONSENT   /* that it begins TLS */
} cinch_upgrade_step;

/* What is known of one protocol. */
typedef struct cinch_dialect {
    const char *name;  /* "smtp" */
    const char *title; /* "SMTP" */
    const char *port;  /* "25" */
    const char
        *implicit;       /* where TLS is spoken from the first byte on: "port 465"; NULL: nowhere */
    const char *request; /* what asks for TLS, in words: "STARTTLS" */
    const char *offers;  /* what asks for the list of offers, in words; NULL: nothing does */
    /* Sets the first step, and says the first words if they are the client's. */
    void (*begin)(cinch_upgrade *upgrade);
    /*
     * Takes at least one of SIZE bytes, and none behind the end of an answer: how many. Calls the
     * functions below for what follows from them.
     */
    size_t (*take)(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);
    /* For those whose answers are lines: one, of SIZE bytes without its end. It ends with a NUL. */
    void (*line)(cinch_upgrade *upgrade, const char *line, size_t size);
    const char *consent; /* what a server says before TLS, behind the tag if there is one */
} cinch_dialect;

/* cinch_dialect_of gives what is known of PROTOCOL; NULL if there is no such protocol. */
const cinch_dialect *cinch_dialect_of(cinch_starttls_protocol protocol);

struct cinch_upgrade {
    cinch_starttls_protocol protocol;
    const cinch_dialect *dialect;
    cinch_upgrade_step step;
    int done;    /* the next byte is TLS */
    int offered; /* the server's list has it */
    int code;    /* of a reply of several lines that has begun, 0 between replies */
    int listing; /* a list that ends with a line of a single dot has begun */
    cinch_error failed;

    char say[CINCH_UPGRADE_SAY];
    size_t say_start, say_end;

    unsigned char line[CINCH_UPGRADE_LINE];
    size_t line_size;
    size_t literal; /* Sieve: bytes of a literal within the line that are still to come */

    size_t total;
    unsigned char first[2];
    unsigned char heard[CINCH_UPGRADE_HEARD];
    size_t heard_size;

    cinch_xml xml;
    char client_name[CINCH_UPGRADE_NAME + 1];
    char domain[CINCH_UPGRADE_NAME + 1];
    unsigned mysql_flags;
    void *greeting;
    size_t greeting_size;
    size_t *greeting_used;
};

/* ---- what dialects do ---- */

/* cinch_upgrade_say has SIZE bytes sent, and then the answer of STEP waited for. */
void cinch_upgrade_say(cinch_upgrade *upgrade, cinch_upgrade_step step, const void *bytes,
                       size_t size);

/* cinch_upgrade_say_name does so with NAME between two texts. */
void cinch_upgrade_say_name(cinch_upgrade *upgrade, cinch_upgrade_step step, const char *before,
                            const char *name, const char *after);

/* cinch_upgrade_ask sends the request for TLS, TEXT, if the server offers it, and fails if not. */
void cinch_upgrade_ask(cinch_upgrade *upgrade, const char *text);

/* cinch_upgrade_consented says that the answer that has just ended was the consent. */
void cinch_upgrade_consented(cinch_upgrade *upgrade);

/* cinch_word tells whether the text at LINE begins with WORD, in any case, and ends or has a space. */
int cinch_word(const char *line, const char *word);

/* cinch_has_word tells whether WORD is one of the words of LINE, in any case. */
int cinch_has_word(const char *line, const char *word);

/* ---- refuse.c: what ends the dialogue. The first one stays. ---- */

/* cinch_upgrade_odd is for what is not in the protocol; FORMAT says what. */
void cinch_upgrade_odd(cinch_upgrade *upgrade, const char *format, ...) CINCH_PRINTF(2, 3);

/* cinch_upgrade_not_offered is for a server that has no TLS here, as far as can be seen. */
void cinch_upgrade_not_offered(cinch_upgrade *upgrade);

/* cinch_upgrade_refused is for a server that says no; WHY is its own words, SIZE bytes. */
void cinch_upgrade_refused(cinch_upgrade *upgrade, const char *what, const void *why, size_t size);

/* cinch_upgrade_injected is for SIZE bytes that came where TLS, or a question of ours, is next. */
void cinch_upgrade_injected(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);

/* cinch_upgrade_preauth is for an IMAP server that says that we are logged in already. */
void cinch_upgrade_preauth(cinch_upgrade *upgrade);

/* cinch_upgrade_speaks_tls tells whether the first bytes that came are those of a TLS record. */
int cinch_upgrade_speaks_tls(const cinch_upgrade *upgrade);

/* cinch_upgrade_waits_for says in words what is waited for, such as "its answer to EHLO". */
const char *cinch_upgrade_waits_for(const cinch_upgrade *upgrade, char *buf, size_t size);

/* cinch_upgrade_show writes the SIZE bytes at IN for people, lines joined; returns BUF. */
const char *cinch_upgrade_show(char *buf, size_t buf_size, const void *in, size_t size);

/* cinch_injection_fail sets ERR for SIZE bytes in the clear, said by WHO, where TLS has to begin. */
cinch_status cinch_injection_fail(cinch_error *err, const char *who, const char *where,
                                  const void *bytes, size_t size);

/* ---- lines.c ---- */

/* cinch_lines_take is a dialect's take() for answers that are lines. */
size_t cinch_lines_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);

/* ---- the dialects ---- */

void cinch_greeted_begin(cinch_upgrade *upgrade); /* the server speaks first */
void cinch_smtp_line(cinch_upgrade *upgrade, const char *line, size_t size);
void cinch_ftp_line(cinch_upgrade *upgrade, const char *line, size_t size);
void cinch_nntp_line(cinch_upgrade *upgrade, const char *line, size_t size);
void cinch_imap_line(cinch_upgrade *upgrade, const char *line, size_t size);
void cinch_pop3_line(cinch_upgrade *upgrade, const char *line, size_t size);
void cinch_sieve_line(cinch_upgrade *upgrade, const char *line, size_t size);
void cinch_xmpp_begin(cinch_upgrade *upgrade);
size_t cinch_xmpp_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);
void cinch_ldap_begin(cinch_upgrade *upgrade);
size_t cinch_ldap_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);
void cinch_postgres_begin(cinch_upgrade *upgrade);
size_t cinch_postgres_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);
size_t cinch_mysql_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size);

/* cinch_ldap_consent writes the StartTLS response to message ID; how many bytes. */
size_t cinch_ldap_consent(unsigned char *out, int id);

#endif
