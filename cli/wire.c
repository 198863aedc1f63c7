/* wire.c: cinch wire, which reads captures. */
#include "wire.h"
#include "wire_flow.h"

#include <getopt.h>
#include <stdlib.h>

enum {
    KEY_HEX = CLI_LONG_ONLY,
    KEY_JSON,
    KEY_KEY_LOG
};

static const cli_option options[] = {
    {KEY_HEX, "hex", NULL, "all bytes, and their meaning beside them"},
    {KEY_KEY_LOG, "key-log", "FILE",
     "open what is protected with the secrets in FILE (SSLKEYLOGFILE)"},
    {KEY_JSON, "json", NULL, "print one JSON object"},
    {0},
};

static void print_flow(const wire_flow *flow)
{
    char client[64];
    char server[64];

    printf("%s to %s\n", capture_end_text(&flow->ends[0], client, sizeof(client)),
           capture_end_text(&flow->ends[1], server, sizeof(server)));
    if (flow->text_size > 0)
        (void)fwrite(flow->text, 1, flow->text_size, stdout);
    if (flow->closed > 0)
        printf("%zu protected records stay closed: the key log has no key for them\n",
               flow->closed);
    putchar('\n');
}

static json_t *flow_json(const wire_flow *flow)
{
    json_t *object = json_object();
    char text[64];

    json_object_set_new(object, "client",
                        cli_json_text(capture_end_text(&flow->ends[0], text, sizeof(text))));
    json_object_set_new(object, "server",
                        cli_json_text(capture_end_text(&flow->ends[1], text, sizeof(text))));
    if (flow->reader != NULL)
        json_object_set_new(object, "closed", json_integer((json_int_t)flow->closed));
    json_object_set_new(object, "missing", json_integer((json_int_t)flow->missing));
    json_object_set(object, "wire", flow->wire.list);
    return object;
}

/* Nothing that is TLS: said, so that nobody takes silence for safety. */
static void check_found(const wire_flows *flows, const char *path, const capture_counts *counts,
                        cinch_error *err)
{
    size_t connections = 0;

    for (const wire_flow *flow = flows->first; flow != NULL; flow = flow->next) {
        if (flow->wire.seen_tls)
            return;
        connections++;
    }
    (void)cli_fail(
        err, CINCH_CAUSE_NOT_TLS,
        "capture from the beginning of the connection, all of each packet (tcpdump -s 0)",
        "there is no TLS in %s: %zu packets, %zu TCP connections, %zu packets of "
        "something else, %zu fragments of IP",
        path, counts->packets, connections, counts->other, counts->fragments);
}

static void print_all(const wire_flows *flows, const cinch_error *err)
{
    json_t *object;
    json_t *list;

    if (!flows->json) {
        if (flows->first != NULL)
            cli_wire_legend(stdout);
        for (const wire_flow *flow = flows->first; flow != NULL; flow = flow->next)
            print_flow(flow);
        return;
    }
    object = json_object();
    list = json_array();
    for (const wire_flow *flow = flows->first; flow != NULL; flow = flow->next)
        json_array_append_new(list, flow_json(flow));
    json_object_set_new(object, "ok", json_boolean(!cinch_error_is_set(err)));
    json_object_set_new(object, "exit_code", json_integer(cinch_error_exit_code(err)));
    if (cinch_error_is_set(err))
        json_object_set_new(object, "error", cli_json_error(err));
    json_object_set_new(object, "connections", list);
    cli_json_print(object, stdout);
}

static int read_capture(const char *path, const char *key_log, bool json, bool hex)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_error inside = CINCH_ERROR_INIT;
    wire_flows flows = {.json = json, .hex = hex, .err = &inside};
    capture_counts counts = {0};
    wire_keys *keys = NULL;
    int code;

    if (key_log != NULL)
        flows.keys = keys = wire_keys_read(key_log, &err);
    if (!cinch_error_is_set(&err) && capture_read(path, wire_flows_take, &flows, &counts, &err)) {
        wire_flows_end(&flows);
        check_found(&flows, path, &counts, &err);
    } else {
        wire_flows_end(&flows);
    }
    if (cinch_error_is_set(&inside))
        err = inside;
    print_all(&flows, &err);
    code = json ? cinch_error_exit_code(&err) : cli_report(&err, stderr);
    wire_flows_free(&flows);
    wire_keys_free(keys);
    return code;
}

static int run(int argc, char **argv)
{
    const char *key_log = NULL;
    bool json = false;
    bool hex = false;
    int key;

    while ((key = cli_next(&wire_command, argc, argv)) != CLI_END) {
        if (key == KEY_HEX)
            hex = true;
        else if (key == KEY_JSON)
            json = true;
        else if (key == KEY_KEY_LOG)
            key_log = optarg;
        else
            return cli_stop(key);
    }
    if (optind == argc)
        return cli_usage(&wire_command, "which capture? Give a file: cinch wire capture.pcap");
    if (argc - optind > 1)
        return cli_usage(&wire_command, "more than one capture: %s", argv[optind + 1]);
    return read_capture(argv[optind], key_log, json, hex);
}

const cli_command wire_command = {
    "wire",
    "[OPTION...] FILE",
    "show the TLS in a capture: what an observer sees",
    "FILE is a capture as tcpdump, dumpcap and Wireshark write it, or - for standard input.\n"
    "Without a key log everything is read as it was on the wire: what is protected stays so.\n"
    "Exit codes: 0 fine, 2 usage or file, 4 there is no TLS in it.",
    options,
    run,
};
