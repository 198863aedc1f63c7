/* bench_machine.c: without the machine, figures mean nothing. */
#include "bench.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Linux; elsewhere, and on processors without a name, it stays empty. */
static void look_at_cpu(bench_machine *machine)
{
    static const char label[] = "model name";
    char line[512];
    FILE *in = fopen("/proc/cpuinfo", "re");

    while (in != NULL && machine->cpu[0] == '\0' && fgets(line, sizeof(line), in) != NULL) {
        const char *value = strchr(line, ':');

        if (strncmp(line, label, strlen(label)) != 0 || value == NULL)
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(machine->cpu, sizeof(machine->cpu), "%.*s", (int)strcspn(value, "\n"), value);
    }
    if (in != NULL)
        (void)fclose(in);
}

static void look_at_load(bench_machine *machine)
{
    char line[128] = "";
    char *end = line;
    FILE *in = fopen("/proc/loadavg", "re");

    if (in != NULL && fgets(line, sizeof(line), in) != NULL)
        machine->load = strtod(line, &end);
    if (end == line)
        machine->load = -1;
    if (in != NULL)
        (void)fclose(in);
}

void bench_look_around(bench_machine *machine)
{
    time_t now = time(NULL);
    struct utsname name;
    struct tm tm;

    *machine = (bench_machine){.openssl = OpenSSL_version(OPENSSL_VERSION)};
    look_at_cpu(machine);
    look_at_load(machine);
    machine->cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (uname(&name) == 0)
        snprintf(machine->kernel, sizeof(machine->kernel), "%.30s %.60s %.30s", name.sysname,
                 name.release, name.machine);
    if (machine->cpu[0] == '\0')
        snprintf(machine->cpu, sizeof(machine->cpu), "a processor that has no name here");
    if (gmtime_r(&now, &tm) != NULL)
        (void)strftime(machine->date, sizeof(machine->date), "%Y-%m-%dT%H:%M:%SZ", &tm);
}
