#include "stream/address.h"

#include "base/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

void cinch_address_of_host(cinch_address *address, const cinch_host *host, uint16_t port)
{
    memset(address, 0, sizeof *address);
    if (host->ip_size == 4) {
        address->u.v4.sin_family = AF_INET;
        memcpy(&address->u.v4.sin_addr, host->ip, 4);
        address->size = sizeof address->u.v4;
    } else {
        address->u.v6.sin6_family = AF_INET6;
        memcpy(&address->u.v6.sin6_addr, host->ip, 16);
        address->size = sizeof address->u.v6;
    }
    cinch_address_set_port(address, port);
}

uint16_t cinch_address_port(const cinch_address *address)
{
    if (address->u.any.sa_family == AF_INET6)
        return ntohs(address->u.v6.sin6_port);
    return ntohs(address->u.v4.sin_port);
}

void cinch_address_set_port(cinch_address *address, uint16_t port)
{
    if (address->u.any.sa_family == AF_INET6)
        address->u.v6.sin6_port = htons(port);
    else
        address->u.v4.sin_port = htons(port);
}

int cinch_address_same(const cinch_address *a, const cinch_address *b)
{
    if (a->u.any.sa_family != b->u.any.sa_family)
        return 0;
    if (a->u.any.sa_family == AF_INET6)
        return a->u.v6.sin6_port == b->u.v6.sin6_port &&
               a->u.v6.sin6_scope_id == b->u.v6.sin6_scope_id &&
               memcmp(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr, sizeof a->u.v6.sin6_addr) == 0;
    return a->u.v4.sin_port == b->u.v4.sin_port &&
           a->u.v4.sin_addr.s_addr == b->u.v4.sin_addr.s_addr;
}

static const char *v6_text(const struct sockaddr_in6 *v6, char buf[static CINCH_ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "";
    unsigned port = ntohs(v6->sin6_port);

    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        /* A socket for both families: the peer speaks IPv4, and is shown so. */
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ip, sizeof ip);
        (void)snprintf(buf, CINCH_ADDRESS_TEXT, "%s:%u", ip, port);
        return buf;
    }
    inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
    if (v6->sin6_scope_id != 0)
        (void)snprintf(buf, CINCH_ADDRESS_TEXT, "[%s%%%u]:%u", ip, (unsigned)v6->sin6_scope_id,
                       port);
    else
        (void)snprintf(buf, CINCH_ADDRESS_TEXT, "[%s]:%u", ip, port);
    return buf;
}

const char *cinch_address_text(const struct sockaddr *address, socklen_t size,
                               char buf[static CINCH_ADDRESS_TEXT])
{
    char ip[INET_ADDRSTRLEN] = "";
    cinch_address known = {0};

    buf[0] = 0;
    if (size < sizeof known.u.v4)
        return buf;
    memcpy(&known.u, address, size < sizeof known.u ? size : sizeof known.u);
    if (known.u.any.sa_family == AF_INET6 && size >= sizeof known.u.v6)
        return v6_text(&known.u.v6, buf);
    if (known.u.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &known.u.v4.sin_addr, ip, sizeof ip);
        (void)snprintf(buf, CINCH_ADDRESS_TEXT, "%s:%u", ip, ntohs(known.u.v4.sin_port));
    }
    return buf;
}

const char *cinch_address_host_port(const cinch_host *host, uint16_t port, char *buf, size_t size)
{
    if (host->ip_size == 16)
        (void)snprintf(buf, size, "[%s]:%u", host->text, (unsigned)port);
    else
        (void)snprintf(buf, size, "%s:%u", host->text, (unsigned)port);
    return buf;
}

/* For machines without /etc/services, which small containers lack. */
static int well_known_port(const char *name)
{
    static const struct {
        const char *name;
        int port;
    } services[] = {
        {"ftp", 21},         {"smtp", 25},   {"http", 80},      {"pop3", 110},
        {"imap2", 143},      {"imap", 143},  {"https", 443},    {"submissions", 465},
        {"submission", 587}, {"ldaps", 636}, {"domain-s", 853}, {"ftps", 990},
        {"imaps", 993},      {"pop3s", 995},
    };

    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (strcmp(name, services[i].name) == 0)
            return services[i].port;
    return -1;
}

static int service_port(const char *name)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct sockaddr_in v4;
    int port = -1;

    if (getaddrinfo(NULL, name, &hints, &list) == 0 && list != NULL &&
        list->ai_addrlen >= sizeof v4) {
        memcpy(&v4, list->ai_addr, sizeof v4);
        port = ntohs(v4.sin_port);
    }
    if (list != NULL)
        freeaddrinfo(list);
    return port > 0 ? port : well_known_port(name);
}

/* Decimal digits and nothing else: no sign, no space, which strtol() would let pass. */
static int number_port(const char *text)
{
    int port = 0;

    for (const char *at = text; *at != 0; at++) {
        if (*at < '0' || *at > '9' || port > 6553)
            return -1;
        port = port * 10 + (*at - '0');
    }
    return port <= 65535 ? port : -1;
}

cinch_status cinch_port_parse(uint16_t *port, const char *text, int zero, cinch_error *err)
{
    if (text == NULL || *text == 0) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "no port was given");
        cinch_fail_remedy(err, "give a port number or a service name, such as 443 or https");
        return CINCH_FAILED;
    }
    int number = text[0] >= '0' && text[0] <= '9' ? number_port(text) : -1;
    /* A name begins with a letter (RFC 6335, 5.1, has it so but for a few old ones). */
    if (number < 0 && ((text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z'))
        number = service_port(text);
    if (number > 0 || (number == 0 && zero)) {
        *port = (uint16_t)number;
        return CINCH_OK;
    }
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "\"%.80s\" is not a port", text);
    cinch_fail_remedy(err,
                      "give a number from %d to 65535, or the name of a service that "
                      "/etc/services has, such as https",
                      zero ? 0 : 1);
    return CINCH_FAILED;
}

const char *cinch_system_text(int number, char *buf, size_t size)
{
    switch (number) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "no answer";
    case ENETUNREACH:
        return "network unreachable";
    case EHOSTUNREACH:
        return "host unreachable";
    case EADDRNOTAVAIL:
        return "no address of this kind on this machine";
    case EAFNOSUPPORT:
        return "this machine does not speak this kind of address";
    case ECONNRESET:
        return "connection reset";
    case EMFILE:
        return "this program has too many files open";
    case ENFILE:
        return "this machine has too many files open";
    default:
        if (strerror_r(number, buf, size) != 0)
            (void)snprintf(buf, size, "error %d", number);
        return buf;
    }
}

int cinch_system_short(int number)
{
    return number == EMFILE || number == ENFILE;
}

void cinch_system_fail(cinch_error *err, int number)
{
    if (number == EMFILE)
        cinch_fail_remedy(err, "raise the limit of open files (`ulimit -n`, or LimitNOFILE of a "
                               "service), or see which connections are left open");
    if (number == ENFILE)
        cinch_fail_remedy(err, "raise the limit of open files of the whole machine (`sysctl "
                               "fs.file-max`), or see which program has so many");
    cinch_fail_system(err, number);
}
