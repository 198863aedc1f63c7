/* identity.c: certificates, keys and passwords named on the command line. */
#include "identity.h"
#include "ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ui.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum {
    PIN_MOST = 1024
};

/* One line from FD, without its end; at most SIZE bytes. Its length, or -1. */
static int read_line(int fd, char *buf, size_t size)
{
    size_t length = 0;
    char c = '\0';

    for (;;) {
        ssize_t n = read(fd, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0 || c == '\n')
            break;
        if (length == size)
            return -1;
        buf[length++] = c;
    }
    if (length > 0 && buf[length - 1] == '\r')
        length--;
    return (int)length;
}

static int from_file(char *buf, size_t size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int length;

    if (fd < 0) {
        fprintf(stderr, "cinch: cannot read the password file %s: %s\n", path,
                strerror(errno)); // NOLINT(concurrency-mt-unsafe): one thread
        return -1;
    }
    length = read_line(fd, buf, size);
    (void)close(fd);
    return length;
}

/* Standard input may be the connection's data: the terminal is opened by its own name. */
static int from_terminal(char *buf, size_t size, const char *what)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios shown;
    struct termios hidden;
    int length = -1;

    if (fd < 0)
        return -1;
    if (tcgetattr(fd, &shown) == 0) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        /* First this: it drops what was typed, and whoever sees the question may type at once. */
        if (tcsetattr(fd, TCSAFLUSH, &hidden) == 0) {
            dprintf(fd, "Password for %s: ", what);
            length = read_line(fd, buf, size);
            (void)tcsetattr(fd, TCSAFLUSH, &shown);
        }
        dprintf(fd, "\n");
    }
    (void)close(fd);
    return length;
}

int cli_password(char *buf, size_t size, const char *what, void *arg)
{
    const cli_identity *identity = arg;

    if (identity->password_file != NULL)
        return from_file(buf, size, identity->password_file);
    return from_terminal(buf, size, what);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t a = strlen(text);
    size_t b = strlen(suffix);

    return a >= b && strcasecmp(text + a - b, suffix) == 0;
}

void cli_identity_source(const cli_identity *identity, cinch_identity_source *source)
{
    if (ends_with(identity->cert_file, ".p12") || ends_with(identity->cert_file, ".pfx"))
        source->pkcs12_file = identity->cert_file;
    else
        source->file = identity->cert_file;
    source->key_file = identity->key_file;
}

int cli_identity_check(const cli_command *command, const cli_identity *identity)
{
    if (identity->key_file != NULL && identity->cert_file == NULL)
        return cli_usage(command, "--key needs --cert");
    if (identity->key_file != NULL && identity->key_uri != NULL)
        return cli_usage(command, "the key is either at --key or at --key-uri");
    return 0;
}

bool cli_identity_is_given(const cli_identity *identity)
{
    return identity->cert_file != NULL || identity->key_uri != NULL;
}

static cinch_identity *try_uri(const cli_identity *identity, BIO *certificates, const char *pin,
                               cinch_error *err)
{
    char *pem = NULL;
    long size = certificates == NULL ? 0 : BIO_get_mem_data(certificates, &pem);

    return cinch_identity_uri(identity->key_uri, pem, (size_t)size, pin, err);
}

/* A URI may have the PIN in it: the terminal is asked only when the token has asked. */
static cinch_identity *load_uri(const cli_identity *identity, cinch_error *err)
{
    char pin[PIN_MOST + 1];
    cli_identity mine = *identity;
    cinch_error first = CINCH_ERROR_INIT;
    cinch_identity *loaded = NULL;
    BIO *certificates = NULL;

    if (cinch_error_is_set(err))
        return NULL;
    /* A provider that has to log in again, in the middle of serving, does not ask anybody either. */
    UI_set_default_method(UI_null());
    if (identity->cert_file != NULL) {
        certificates = ca_read_file(identity->cert_file, NULL, err);
        if (certificates == NULL)
            return NULL;
    }
    if (identity->password_file == NULL)
        loaded = try_uri(identity, certificates, NULL, &first);
    if (identity->password_file != NULL || first.cause == CINCH_CAUSE_PASSWORD_MISSING) {
        int length = cli_password(pin, PIN_MOST, "the key", &mine);

        pin[length < 0 ? 0 : length] = '\0';
        loaded = try_uri(identity, certificates, length < 0 ? NULL : pin, err);
        OPENSSL_cleanse(pin, sizeof(pin));
    } else if (loaded == NULL) {
        *err = first;
    }
    BIO_free(certificates);
    return loaded;
}

bool cli_identity_use(cinch_context *ctx, const cli_identity *identity, cinch_error *err)
{
    cli_identity mine = *identity;
    cinch_identity_source source = {.ask = cli_password, .ask_arg = &mine};
    cinch_identity *loaded;
    bool ok;

    if (!cli_identity_is_given(identity))
        return true;
    if (identity->key_uri != NULL) {
        loaded = load_uri(identity, err);
    } else {
        cli_identity_source(identity, &source);
        loaded = cinch_identity_load(&source, err);
    }
    ok = cinch_context_identity(ctx, loaded, err) == CINCH_OK;
    cinch_identity_free(loaded);
    return ok;
}

bool cli_trust_use(cinch_context *ctx, const char *path, cinch_error *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return cinch_context_trust_dir(ctx, path, err) == CINCH_OK;
    return cinch_context_trust_file(ctx, path, err) == CINCH_OK;
}

bool cli_crl_use(cinch_context *ctx, const char *path, cinch_error *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return cinch_context_crl_dir(ctx, path, err) == CINCH_OK;
    return cinch_context_crl_file(ctx, path, err) == CINCH_OK;
}
