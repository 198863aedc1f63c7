/* capture.c: from the packets of a capture to TCP. The packets are strangers'. */
#define _DEFAULT_SOURCE /* u_int and u_char, which pcap.h wants */
#include "capture.h"

#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <string.h>

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_IP6 0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u
#define PROTOCOL_TCP 6u

/* A time behind it is nobody's; what is computed with times stays far from their ends. */
#define MOST_SECONDS ((int64_t)1 << 40)

/* The rest of a packet. */
typedef struct span {
    const unsigned char *at;
    size_t size;
} span;

static unsigned number(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool skip(span *in, size_t count)
{
    if (in->size < count)
        return false;
    in->at += count;
    in->size -= count;
    return true;
}

/* What is in front of IP: how many bytes, and where in them the type is; -1: there is none. */
static const struct {
    int link;
    size_t size;
    int type_at;
} links[] = {
    {DLT_EN10MB, 14, 12}, {DLT_NULL, 4, -1},       {DLT_LOOP, 4, -1}, {DLT_RAW, 0, -1},
    {DLT_IPV4, 0, -1},    {DLT_LINUX_SLL, 16, 14}, {DLT_IPV6, 0, -1}, {DLT_LINUX_SLL2, 20, 0},
};

#define LINK_COUNT (sizeof(links) / sizeof(links[0]))

static size_t find_link(int link)
{
    size_t i = 0;

    while (i < LINK_COUNT && links[i].link != link)
        i++;
    return i;
}

/* Moves IN to the header of IP. False if there is none. */
static bool skip_link(span *in, size_t link)
{
    const unsigned char *start = in->at;
    unsigned type;

    if (!skip(in, links[link].size))
        return false;
    if (links[link].type_at < 0)
        return true;
    type = number(start + links[link].type_at);
    while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
        if (in->size < 4)
            return false;
        type = number(in->at + 2);
        (void)skip(in, 4);
    }
    return type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6;
}

/* RFC 791. *LOST grows by what the capture does not have. */
static bool read_ip4(span *in, capture_segment *segment, capture_counts *counts, size_t *lost)
{
    const unsigned char *ip = in->at;
    size_t header, whole;

    if (in->size < 20)
        return false;
    header = (size_t)(ip[0] & 15) * 4;
    whole = number(ip + 2);
    /* 0: the network card cuts it into packets later. */
    if (whole == 0)
        whole = in->size;
    if (header < 20 || whole < header || ip[9] != PROTOCOL_TCP)
        return false;
    if ((number(ip + 6) & 0x3fff) != 0) {
        counts->fragments++;
        return false;
    }
    segment->from.size = segment->to.size = 4;
    memcpy(segment->from.address, ip + 12, 4);
    memcpy(segment->to.address, ip + 16, 4);
    *lost = whole > in->size ? whole - in->size : 0;
    /* What is behind it pads a short frame. */
    if (in->size > whole)
        in->size = whole;
    return skip(in, header);
}

/* RFC 8200. Of the headers between, those that anybody may send over TCP. */
static bool read_ip6(span *in, capture_segment *segment, capture_counts *counts, size_t *lost)
{
    const unsigned char *ip = in->at;
    size_t whole;
    unsigned next;

    if (in->size < 40)
        return false;
    whole = 40 + (size_t)number(ip + 4);
    if (whole == 40)
        whole = in->size;
    *lost = whole > in->size ? whole - in->size : 0;
    if (in->size > whole)
        in->size = whole;
    segment->from.size = segment->to.size = 16;
    memcpy(segment->from.address, ip + 8, 16);
    memcpy(segment->to.address, ip + 24, 16);
    next = ip[6];
    (void)skip(in, 40);
    while ((next == 0 || next == 43 || next == 60) && in->size >= 8) {
        size_t header = ((size_t)in->at[1] + 1) * 8;

        next = in->at[0];
        if (!skip(in, header))
            return false;
    }
    counts->fragments += next == 44;
    return next == PROTOCOL_TCP;
}

/* RFC 9293, 3.1. */
static bool read_tcp(span *in, capture_segment *segment, size_t lost)
{
    const unsigned char *tcp = in->at;
    size_t header;

    if (in->size < 20)
        return false;
    header = (size_t)(tcp[12] >> 4) * 4;
    if (header < 20 || !skip(in, header))
        return false;
    segment->from.port = (uint16_t)number(tcp);
    segment->to.port = (uint16_t)number(tcp + 2);
    segment->sequence = (uint32_t)number(tcp + 4) << 16 | number(tcp + 6);
    segment->fin = (tcp[13] & 0x05) != 0;
    segment->syn = (tcp[13] & 0x02) != 0;
    segment->ack = (tcp[13] & 0x10) != 0;
    segment->bytes = in->at;
    segment->size = in->size;
    segment->whole = in->size + lost;
    return true;
}

/* In microseconds. A capture may claim any time. */
static int64_t read_time(const struct pcap_pkthdr *head)
{
    int64_t seconds = (int64_t)head->ts.tv_sec;

    if (seconds < 0)
        seconds = 0;
    if (seconds > MOST_SECONDS)
        seconds = MOST_SECONDS;
    return seconds * 1000000 + (int64_t)head->ts.tv_usec;
}

static bool read_packet(const struct pcap_pkthdr *head, const unsigned char *bytes, size_t link,
                        capture_segment *segment, capture_counts *counts)
{
    span in = {bytes, head->caplen};
    size_t lost = 0;
    bool is_ip;

    memset(segment, 0, sizeof(*segment));
    segment->when = read_time(head);
    if (!skip_link(&in, link) || in.size == 0)
        return false;
    if (in.at[0] >> 4 == 4)
        is_ip = read_ip4(&in, segment, counts, &lost);
    else
        is_ip = in.at[0] >> 4 == 6 && read_ip6(&in, segment, counts, &lost);
    return is_ip && read_tcp(&in, segment, lost);
}

static pcap_t *open_capture(const char *path, size_t *link, cinch_error *err)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    pcap_t *capture = pcap_open_offline(path, why);
    const char *name;

    if (capture == NULL) {
        (void)cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                       "give a capture as tcpdump -w, dumpcap or Wireshark write it",
                       "%s cannot be read as a capture: %s", path, why);
        return NULL;
    }
    *link = find_link(pcap_datalink(capture));
    if (*link < LINK_COUNT)
        return capture;
    name = pcap_datalink_val_to_name(pcap_datalink(capture));
    (void)cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                   "capture on an Ethernet, loopback or \"any\" interface",
                   "%s was captured on a link of type %s (%d), which is not read here", path,
                   name != NULL ? name : "unknown", pcap_datalink(capture));
    pcap_close(capture);
    return NULL;
}

bool capture_read(const char *path, capture_callback callback, void *arg, capture_counts *counts,
                  cinch_error *err)
{
    struct pcap_pkthdr *head;
    const unsigned char *bytes;
    capture_segment segment;
    size_t link;
    int got;
    pcap_t *capture = open_capture(path, &link, err);

    if (capture == NULL)
        return false;
    while ((got = pcap_next_ex(capture, &head, &bytes)) == 1) {
        counts->packets++;
        if (read_packet(head, bytes, link, &segment, counts))
            callback(&segment, arg);
        else
            counts->other++;
    }
    if (got != PCAP_ERROR_BREAK)
        (void)cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                       "the capture was cut off, or is still being written: capture again",
                       "%s cannot be read after packet %zu: %s", path, counts->packets,
                       pcap_geterr(capture));
    pcap_close(capture);
    return got == PCAP_ERROR_BREAK;
}

const char *capture_end_text(const capture_end *end, char *buf, size_t size)
{
    char address[INET6_ADDRSTRLEN] = "?";

    (void)inet_ntop(end->size == 4 ? AF_INET : AF_INET6, end->address, address, sizeof(address));
    (void)snprintf(buf, size, end->size == 4 ? "%s:%u" : "[%s]:%u", address, (unsigned)end->port);
    return buf;
}
