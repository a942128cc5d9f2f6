#include <stdio.h>

#include "double/boot-bls.h"

/* The first line "KEY VALUE" of a text; or, with '=' for a separator, KEY=VALUE. */
static void value_find(const char *data, size_t size, const char *key, char separator, char *out,
                       size_t out_size)
{
        size_t n = strlen(key);

        *out = 0;
        for (const char *line = data, *end; line < data + size; line = end + 1) {
                end = memchr(line, '\n', (size_t)(data + size - line));
                if (!end)
                        end = data + size;
                if ((size_t)(end - line) <= n || memcmp(line, key, n) != 0 || line[n] != separator)
                        continue;
                (void)snprintf(out, out_size, "%.*s", (int)(end - line - (ptrdiff_t)n - 1),
                               line + n + 1);
                return;
        }
}

/* "name+3-1.conf" → "name+2-2.conf" */
static void counter_read(const char *name, BootBlsEntry *entry)
{
        const char *plus = strrchr(name, '+'), *suffix = strrchr(name, '.');
        unsigned left = 0, done = 0;

        if (!plus || plus > suffix || sscanf(plus, "+%u-%u", &left, &done) < 1)
                return;
        entry->bad = left == 0;
        if (left > 0)
                (void)snprintf(entry->counted_down, sizeof(entry->counted_down), "%.*s+%u-%u%s",
                               (int)(plus - name), name, left - 1, done + 1, suffix);
}

static uint32_t u32_at(const char *data, size_t at)
{
        const uint8_t *p = (const uint8_t *)data + at;

        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Finds ".osrel" as good tests have it: the doubles read no hostile files. */
static bool uki_read_release(const BootBlsFile *file, BootBlsEntry *ret)
{
        size_t pe = file->size > 64 ? u32_at(file->data, 60) : 0, at;

        if (pe == 0 || memcmp(file->data, "MZ", 2) != 0)
                return false;
        at = pe + 24 + (u32_at(file->data, pe + 20) & 0xffff);
        for (; at + 40 < file->size; at += 40)
                if (memcmp(file->data + at, ".osrel", 7) == 0) {
                        const char *text = file->data + u32_at(file->data, at + 20);
                        size_t size = u32_at(file->data, at + 8);

                        value_find(text, size, "ID", '=', ret->sort_key, sizeof(ret->sort_key));
                        value_find(text, size, "VERSION_ID", '=', ret->version,
                                   sizeof(ret->version));
                        return true;
                }
        return false;
}

bool boot_bls_read(const BootBlsFile *file, BootBlsEntry *ret)
{
        const char *suffix = strrchr(file->name, '.');
        char options[1024];
        const char *uuid;

        *ret = (BootBlsEntry) { .file = file };
        if (!suffix)
                return false;
        counter_read(file->name, ret);
        if (streq(suffix, ".efi") && strncmp(file->name, "EFI/Linux/", 10) == 0) {
                (void)snprintf(ret->kernel, sizeof(ret->kernel), "/%s", file->name);
                return uki_read_release(file, ret);
        }
        if (!streq(suffix, ".conf") || strncmp(file->name, "loader/entries/", 15) != 0)
                return false;

        value_find(file->data, file->size, "linux", ' ', ret->kernel, sizeof(ret->kernel));
        value_find(file->data, file->size, "version", ' ', ret->version, sizeof(ret->version));
        value_find(file->data, file->size, "sort-key", ' ', ret->sort_key, sizeof(ret->sort_key));
        value_find(file->data, file->size, "options", ' ', options, sizeof(options));
        uuid = strstr(options, "PARTUUID=");
        if (uuid)
                (void)snprintf(ret->part_uuid, sizeof(ret->part_uuid), "%.36s", uuid + 9);
        return *ret->kernel;
}

/* Is a started rather than b? Versions of tests are plain numbers. */
static bool entry_comes_first(const BootBlsEntry *a, const BootBlsEntry *b)
{
        int r;

        if (a->bad != b->bad)
                return b->bad;
        if (!*a->sort_key != !*b->sort_key)
                return *a->sort_key;
        r = strcmp(a->sort_key, b->sort_key);
        if (r == 0 && *a->sort_key)
                r = strverscmp(b->version, a->version);
        return r != 0 ? r < 0 : strverscmp(a->file->name, b->file->name) > 0;
}

int boot_bls_choose(const BootBlsFile *files, size_t n, BootBlsEntry *ret)
{
        bool found = false;

        for (size_t i = 0; i < n; i++) {
                BootBlsEntry entry;

                if (!boot_bls_read(&files[i], &entry) || (found && !entry_comes_first(&entry, ret)))
                        continue;
                *ret = entry;
                found = true;
        }

        return found ? 0 : -ENODEV;
}
