/* address.h: socket addresses and ports, and how people write them. */
#ifndef CINCH_STREAM_ADDRESS_H
#define CINCH_STREAM_ADDRESS_H

#include "base/hostname.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct cinch_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } u;
    socklen_t size;
} cinch_address;

/* cinch_address_of_host makes an address of HOST, which has one (ip_size is not 0). */
void cinch_address_of_host(cinch_address *address, const cinch_host *host, uint16_t port);

/* cinch_address_port gives the port of ADDRESS, in the machine's order. */
uint16_t cinch_address_port(const cinch_address *address);
void cinch_address_set_port(cinch_address *address, uint16_t port);

/* cinch_address_same compares. 1 or 0. */
int cinch_address_same(const cinch_address *a, const cinch_address *b);

/* cinch_address_text writes "192.0.2.1:443" or "[2001:db8::1]:443"; "" for another kind. */
#define CINCH_ADDRESS_TEXT 80
const char *cinch_address_text(const struct sockaddr *address, socklen_t size,
                               char buf[static CINCH_ADDRESS_TEXT]);

/* cinch_address_host_port writes HOST and PORT as they are written in a URL; returns BUF. */
const char *cinch_address_host_port(const cinch_host *host, uint16_t port, char *buf, size_t size);

/*
 * cinch_port_parse reads a number or the name of a TCP service. 0 is a port only if ZERO is not 0.
 * An error (CINCH_CAUSE_BAD_SETTING) names what was given.
 */
cinch_status cinch_port_parse(uint16_t *port, const char *text, int zero, cinch_error *err);

/* cinch_system_text gives errno NUMBER in a few words, such as "connection refused". */
const char *cinch_system_text(int number, char *buf, size_t size);

/* cinch_system_short tells whether NUMBER says that no descriptor is left: EMFILE or ENFILE. */
int cinch_system_short(int number);

/* cinch_system_fail adds errno NUMBER to ERR, with the remedy if no descriptor was left. */
void cinch_system_fail(cinch_error *err, int number);

#endif
