#include <inttypes.h>
#include <jansson.h>
#include <strings.h>

#include "base/buffer.h"
#include "semaphore.h"

static int holder_compare(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Where id stands, or would have to be inserted. */
static size_t holder_position(const Semaphore *semaphore, const char *id, bool *ret_found)
{
        size_t low = 0, high = semaphore->holders.n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(semaphore->holders.items[middle], id) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }

        *ret_found = low < semaphore->holders.n_items && streq(semaphore->holders.items[low], id);
        return low;
}

bool semaphore_is_held_by(const Semaphore *semaphore, const char *id)
{
        bool found;

        (void)holder_position(semaphore, id, &found);
        return found;
}

/* Old clients search by halves: an unsorted list leaks slots there, so what is written is always
 * sorted. */
static void holders_tidy(TextList *holders)
{
        size_t n = 0;

        if (holders->n_items < 2)
                return;

        qsort(holders->items, holders->n_items, sizeof(char *), holder_compare);
        for (size_t i = 0; i < holders->n_items; i++)
                if (n > 0 && streq(holders->items[n - 1], holders->items[i]))
                        free(holders->items[i]);
                else
                        holders->items[n++] = holders->items[i];
        holders->n_items = n;
        holders->items[n] = NULL;
}

/* Go leaves a number alone that is null, and has no mercy with fractions. */
static int number_read(json_t *value, int64_t *target)
{
        if (json_is_null(value))
                return 0;
        if (!json_is_integer(value))
                return -EBADMSG;

        *target = json_integer_value(value);
        return 0;
}

static int holders_read(json_t *value, Semaphore *semaphore)
{
        size_t i;
        json_t *item;
        int r;

        text_list_done(&semaphore->holders);
        semaphore->holders_null = json_is_null(value);
        if (semaphore->holders_null)
                return 0;
        if (!json_is_array(value))
                return -EBADMSG;

        json_array_foreach (value, i, item) {
                if (!json_is_string(item) && !json_is_null(item))
                        return -EBADMSG;
                r = text_list_add(&semaphore->holders,
                                  json_is_null(item) ? "" : json_string_value(item));
                if (r < 0)
                        return r;
        }

        return 0;
}

static int fields_read(json_t *object, Semaphore *semaphore, const char **ret_why)
{
        const char *name;
        json_t *value;
        int r;

        json_object_foreach (object, name, value) {
                const char *why = NULL;

                if (strcasecmp(name, "semaphore") == 0) {
                        r = number_read(value, &semaphore->stored);
                        why = "\"semaphore\" is not a whole number";
                } else if (strcasecmp(name, "max") == 0) {
                        r = number_read(value, &semaphore->max);
                        why = "\"max\" is not a whole number";
                } else if (strcasecmp(name, "holders") == 0) {
                        r = holders_read(value, semaphore);
                        why = "\"holders\" is not a list of texts";
                } else
                        r = 0; /* old clients ignore what they do not know, and drop it when they
                                  write */

                if (r == -EBADMSG)
                        *ret_why = why;
                if (r < 0)
                        return r;
        }

        return 0;
}

static int free_count(Semaphore *semaphore)
{
        return __builtin_sub_overflow(semaphore->max, (int64_t)semaphore->holders.n_items,
                                      &semaphore->free)
                       ? -ERANGE
                       : 0;
}

int semaphore_parse(const char *text, size_t size, Semaphore *ret, const char **ret_why)
{
        _cleanup_(semaphore_done) Semaphore semaphore = { .holders_null = true };
        json_auto_t *root = NULL;
        int r;

        if (size > SEMAPHORE_TEXT_MAX) {
                *ret_why = "the document is too large";
                return -EBADMSG;
        }

        root = json_loadb(text, size, JSON_DECODE_ANY, NULL);
        if (!json_is_object(root) && !json_is_null(root)) {
                *ret_why = root ? "it is not a JSON object" : "it is not valid JSON";
                return -EBADMSG;
        }

        r = json_is_object(root) ? fields_read(root, &semaphore, ret_why) : 0;
        if (r < 0)
                return r;

        holders_tidy(&semaphore.holders);
        if (free_count(&semaphore) < 0) {
                *ret_why = "\"max\" is out of range";
                return -EBADMSG;
        }

        *ret = semaphore;
        semaphore = (Semaphore) {};
        return 0;
}

int semaphore_format(const Semaphore *semaphore, char **ret)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_MAX(SEMAPHORE_TEXT_MAX);
        int r;

        r = buffer_appendf(&buffer, "{\"semaphore\":%" PRId64 ",\"max\":%" PRId64 ",\"holders\":",
                           semaphore->free, semaphore->max);
        if (r < 0)
                return r;

        if (semaphore->holders.n_items == 0 && semaphore->holders_null)
                r = buffer_append_text(&buffer, "null}");
        else {
                r = buffer_append_text(&buffer, "[");
                for (size_t i = 0; i < semaphore->holders.n_items && r >= 0; i++) {
                        r = i > 0 ? buffer_append_text(&buffer, ",") : 0;
                        if (r >= 0)
                                r = buffer_append_json(&buffer, semaphore->holders.items[i]);
                }
                if (r >= 0)
                        r = buffer_append_text(&buffer, "]}");
        }
        if (r < 0)
                return r;

        return buffer_take_text(&buffer, ret, NULL);
}

int semaphore_take(Semaphore *semaphore, const char *id)
{
        TextList *holders = &semaphore->holders;
        size_t position;
        bool found;
        char *last;
        int r;

        position = holder_position(semaphore, id, &found);
        if (found)
                return 0;
        if (semaphore->free <= 0)
                return -EBUSY;

        r = text_list_add(holders, id);
        if (r < 0)
                return r;
        last = holders->items[holders->n_items - 1];
        memmove(holders->items + position + 1, holders->items + position,
                (holders->n_items - 1 - position) * sizeof(char *));
        holders->items[position] = last;
        semaphore->holders_null = false;
        semaphore->free--;
        return 1;
}

int semaphore_release(Semaphore *semaphore, const char *id)
{
        TextList *holders = &semaphore->holders;
        size_t position;
        bool found;

        position = holder_position(semaphore, id, &found);
        if (!found)
                return -ENOENT;

        free(holders->items[position]);
        memmove(holders->items + position, holders->items + position + 1,
                (holders->n_items - position) * sizeof(char *)); /* with the NULL behind the last */
        holders->n_items--;
        semaphore->free++;
        return 1;
}

int semaphore_set_max(Semaphore *semaphore, int64_t max)
{
        if (max < 0)
                return -ERANGE;
        if (max == semaphore->max && semaphore->stored == semaphore->free)
                return 0;

        semaphore->max = max;
        return free_count(semaphore) < 0 ? -ERANGE : 1;
}

int semaphore_copy(const Semaphore *semaphore, Semaphore *ret)
{
        _cleanup_(semaphore_done) Semaphore copy = *semaphore;
        int r = 0;

        copy.holders = (TextList) {};
        for (size_t i = 0; i < semaphore->holders.n_items && r >= 0; i++)
                r = text_list_add(&copy.holders, semaphore->holders.items[i]);
        if (r < 0)
                return r;

        *ret = copy;
        copy = (Semaphore) {};
        return 0;
}

void semaphore_done(Semaphore *semaphore)
{
        text_list_done(&semaphore->holders);
        *semaphore = (Semaphore) {};
}
