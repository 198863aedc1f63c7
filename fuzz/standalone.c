/*
 * Runs a fuzz target over files, where libFuzzer is not linked in: every file
 * named, and every file in a directory named. It fails when it found none, so
 * that an empty corpus does not look like a passed test.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    /* A buffer of the exact size, so that the sanitizer sees an overread. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    int result = -1;

    if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        goto out;
    }
    LLVMFuzzerTestOneInput(data, size);
    result = 0;
out:
    free(data);
    if (file != NULL)
        fclose(file);
    return result;
}

/* Returns how many files it ran, or -1. */
static int run_path(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(info.st_mode))
        return run_file(path, (size_t)info.st_size) == 0 ? 1 : -1;

    DIR *dir = opendir(path);
    if (dir == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(dir)) != NULL;) {
        char child[4096];
        int length = snprintf(child, sizeof child, "%s/%s", path, entry->d_name);

        if (entry->d_name[0] == '.' || length < 0 || (size_t)length >= sizeof child)
            continue;
        int below = run_path(child);
        count = below < 0 ? -1 : count + below;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = run_path(argv[i]);

        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}
