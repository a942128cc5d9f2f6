#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/text.h"

#define BLANKS " \t\r\n\v\f"

char *text_strip(char *text)
{
        size_t n;

        text += strspn(text, BLANKS);
        n = strlen(text);
        while (n > 0 && strchr(BLANKS, text[n - 1]))
                text[--n] = 0;

        return text;
}

void text_lower(char *text)
{
        for (; *text; text++)
                if (*text >= 'A' && *text <= 'Z')
                        *text = (char)(*text - 'A' + 'a');
}

int text_to_u64(const char *text, uint64_t max, uint64_t *ret)
{
        uint64_t value = 0;

        if (is_empty(text))
                return -EINVAL;

        for (const char *p = text; *p; p++) {
                if (*p < '0' || *p > '9')
                        return -EINVAL;
                if (!mul_u64(value, 10, &value) || !add_u64(value, (uint64_t)(*p - '0'), &value))
                        return -ERANGE;
        }

        if (value > max)
                return -ERANGE;

        *ret = value;
        return 0;
}

int text_to_bool(const char *text, bool *ret)
{
        static const char *const yes[] = { "yes", "true", "on", "1" };
        static const char *const no[] = { "no", "false", "off", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                if (strcasecmp(text, yes[i]) == 0) {
                        *ret = true;
                        return 0;
                }
        for (size_t i = 0; i < ELEMENTSOF(no); i++)
                if (strcasecmp(text, no[i]) == 0) {
                        *ret = false;
                        return 0;
                }

        return -EINVAL;
}

int text_list_add(TextList *list, const char *text)
{
        _cleanup_free_ char *copy = strdup(text);
        char **items;

        if (!copy)
                return -ENOMEM;

        items = reallocarray(list->items, list->n_items + 2, sizeof(char *));
        if (!items)
                return -ENOMEM;

        list->items = items;
        items[list->n_items++] = TAKE_PTR(copy);
        items[list->n_items] = NULL;
        return 0;
}

void text_list_done(TextList *list)
{
        for (size_t i = 0; i < list->n_items; i++)
                free(list->items[i]);
        free(list->items);
        *list = (TextList) {};
}

int text_list_split(TextList *list, const char *text, const char *separators)
{
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *item;
        int r;

        if (!copy)
                return -ENOMEM;

        while ((item = strsep(&rest, separators))) {
                item = text_strip(item);
                if (!*item)
                        continue;
                r = text_list_add(list, item);
                if (r < 0)
                        return r;
        }

        return 0;
}

uint64_t text_checksum(const char *text, size_t size, uint64_t sum)
{
        if (sum == 0)
                sum = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < size; i++)
                sum = (sum ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
        return sum;
}

int text_vformat(char **ret, const char *format, va_list arguments)
{
        char *text;

        if (vasprintf(&text, format, arguments) < 0)
                return -ENOMEM;

        *ret = text;
        return 0;
}

int text_format(char **ret, const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = text_vformat(ret, format, arguments);
        va_end(arguments);
        return r;
}

int text_set(char **target, const char *value)
{
        char *copy = NULL;

        if (value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }

        free(*target);
        *target = copy;
        return 0;
}

void text_clear(char **target)
{
        free(*target);
        *target = NULL;
}

int hex_encode(const uint8_t *data, size_t size, char **ret)
{
        static const char digits[] = "0123456789abcdef";
        char *text;
        size_t n;

        if (!mul_size(size, 2, &n) || !add_size(n, 1, &n))
                return -EFBIG;

        text = malloc(n);
        if (!text)
                return -ENOMEM;

        for (size_t i = 0; i < size; i++) {
                text[2 * i] = digits[data[i] >> 4];
                text[2 * i + 1] = digits[data[i] & 15];
        }
        text[2 * size] = 0;

        *ret = text;
        return 0;
}

int hex_decode(const char *text, uint8_t *ret, size_t size)
{
        if (strlen(text) != 2 * size || strspn(text, "0123456789abcdefABCDEF") != 2 * size)
                return -EBADMSG;

        for (size_t i = 0; i < size; i++) {
                const char digits[] = { text[2 * i], text[2 * i + 1], 0 };

                ret[i] = (uint8_t)strtoul(digits, NULL, 16); /* two digits always fit */
        }
        return 0;
}

/* Bytes of the UTF-8 sequence at p (at most n are there), 0 when it is not one. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
        static const struct {
                uint8_t mask, lead;
                uint32_t min;
        } forms[] = { { 0x80, 0x00, 0 },
                      { 0xe0, 0xc0, 0x80 },
                      { 0xf0, 0xe0, 0x800 },
                      { 0xf8, 0xf0, 0x10000 } };

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                uint32_t code = p[0] & (uint8_t)~forms[i].mask;

                if ((p[0] & forms[i].mask) != forms[i].lead)
                        continue;
                if (i + 1 > n)
                        return 0;
                for (size_t k = 1; k <= i; k++) {
                        if ((p[k] & 0xc0) != 0x80)
                                return 0;
                        code = code << 6 | (p[k] & 0x3f);
                }
                if (code < forms[i].min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                        return 0;
                return i + 1;
        }

        return 0;
}

bool text_is_utf8(const char *text, size_t size)
{
        const uint8_t *p = (const uint8_t *)text;

        while (size > 0) {
                size_t n = utf8_length(p, size);
                if (n == 0)
                        return false;
                p += n;
                size -= n;
        }

        return true;
}

void text_make_plain(char *text)
{
        bool utf8 = text_is_utf8(text, strlen(text));

        for (char *p = text; *p; p++)
                if (iscntrl((unsigned char)*p) || (!utf8 && (unsigned char)*p >= 0x80))
                        *p = '?';
}

#define NEAREST_WORD_MAX     32
#define NEAREST_DISTANCE_MAX 2

/*
 * Damerau-Levenshtein distance (restricted), letter case ignored; both at most NEAREST_WORD_MAX long. max + 1 means
 * "more than max". Three rows of the table are enough: a swap looks two back.
 */
static size_t text_distance(const char *a, const char *b, size_t max)
{
        uint8_t rows[3][NEAREST_WORD_MAX + 1];
        uint8_t *before = rows[0], *above = rows[1], *row = rows[2];
        size_t n = strlen(a), m = strlen(b);

        if (n > m + max || m > n + max)
                return max + 1;
        for (size_t k = 0; k <= m; k++)
                above[k] = (uint8_t)k;

        for (size_t i = 1; i <= n; i++) {
                uint8_t nearest = row[0] = (uint8_t)i, *oldest = before;
                int x = tolower((unsigned char)a[i - 1]);

                for (size_t k = 1; k <= m; k++) {
                        int y = tolower((unsigned char)b[k - 1]);
                        uint8_t best = (uint8_t)(above[k - 1] + (x != y));

                        best = (uint8_t)MIN_OF(best, MIN_OF(above[k], row[k - 1]) + 1);
                        if (i > 1 && k > 1 && x == tolower((unsigned char)b[k - 2])
                            && y == tolower((unsigned char)a[i - 2]))
                                best = (uint8_t)MIN_OF(best, before[k - 2] + 1);
                        row[k] = best;
                        nearest = MIN_OF(nearest, best);
                }

                if (nearest > max)
                        return max + 1; /* the row above has max at least, so no swap can help */
                before = above;
                above = row;
                row = oldest;
        }

        return above[m];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t n)
{
        size_t best = NEAREST_DISTANCE_MAX + 1;
        const char *nearest = NULL;

        if (strlen(word) > NEAREST_WORD_MAX)
                return NULL;

        for (size_t i = 0; i < n; i++) {
                size_t distance;

                if (strlen(candidates[i]) > NEAREST_WORD_MAX)
                        continue;
                distance = text_distance(word, candidates[i], NEAREST_DISTANCE_MAX);
                if (distance < best && distance < strlen(word)) {
                        best = distance;
                        nearest = candidates[i];
                }
        }

        return nearest;
}

int version_compare(const char *a, const char *b)
{
        while (*a || *b) {
                size_t n, m;
                int order;

                if (!isdigit((unsigned char)*a) || !isdigit((unsigned char)*b)) {
                        if (*a != *b)
                                return (unsigned char)*a - (unsigned char)*b;
                        a++, b++;
                        continue;
                }

                a += strspn(a, "0");
                b += strspn(b, "0");
                n = strspn(a, "0123456789");
                m = strspn(b, "0123456789");
                if (n != m)
                        return n < m ? -1 : 1;
                order = strncmp(a, b, n);
                if (order != 0)
                        return order;
                a += n;
                b += m;
        }

        return 0;
}

/* How many bytes the character at text takes if it may be shown, 0 if it may not. */
static size_t shown_length(const char *text, size_t size)
{
        unsigned char first = (unsigned char)*text;

        if (first < 0x80)
                return first >= ' ' && first != 0x7f;
        if (first == 0xc2 && size > 1 && (unsigned char)text[1] < 0xa0)
                return 0; /* C1: control characters of terminals */
        for (size_t n = 2; n <= 4 && n <= size; n++)
                if (text_is_utf8(text, n))
                        return n;
        return 0;
}

void foreign_text(const char *text, size_t size, char *out, size_t out_size)
{
        size_t n = 0;

        while (size > 0) {
                size_t length = shown_length(text, size), step = MAX_OF(length, (size_t)1);

                if (n + step >= out_size)
                        break;
                if (length > 0)
                        memcpy(out + n, text, step);
                else
                        out[n] = *text == '\n' || *text == '\t' ? ' ' : '?';
                n += step;
                text += step;
                size -= step;
        }
        while (n > 0 && out[n - 1] == ' ')
                n--;
        out[n] = 0;
}

bool text_is_url_plain(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
               || c == '-' || c == '_' || c == '.' || c == '~';
}
