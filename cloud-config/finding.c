#include <stdio.h>

#include "base/text.h"
#include "cloud-config/characters.h"
#include "cloud-config/finding.h"

const char *severity_to_string(Severity severity)
{
        static const char *const words[_SEVERITY_MAX] = {
                [SEVERITY_ERROR] = "error",
                [SEVERITY_WARNING] = "warning",
                [SEVERITY_NOTE] = "note",
        };

        return words[severity];
}

static void finding_done(Finding *finding)
{
        free(finding->path);
        free(finding->text);
        free(finding->hint);
        *finding = (Finding) {};
}

static int finding_push(Findings *findings, Finding *finding)
{
        Finding *items;

        items = reallocarray(findings->items, findings->n_items + 1, sizeof(Finding));
        if (!items)
                return -ENOMEM;

        findings->items = items;
        items[findings->n_items++] = *finding;
        *finding = (Finding) {};
        return 0;
}

/* Foreign text must not steer the terminal of the one who reads about it. */
static void text_defuse(char *text)
{
        for (size_t i = 0, n; text[i]; i += n) {
                uint32_t code;

                n = character_decode(text + i, strnlen(text + i, CHARACTER_MAX), &code);
                if (n > 0 && !character_is_control(code))
                        continue;
                n = n > 0 ? n : 1;
                memset(text + i, '?', n);
        }
}

static bool copy_text(const char *text, char **ret)
{
        *ret = text ? strdup(text) : NULL;
        return !text || *ret;
}

bool findings_are_full(const Findings *findings)
{
        return findings->n_items >= FINDINGS_MAX;
}

void finding_add_v(Findings *findings, Severity severity, Place place, const char *path,
                   const char *hint, const char *format, va_list arguments)
{
        _cleanup_(finding_done) Finding finding = { .severity = severity, .place = place };

        findings->n_errors += severity == SEVERITY_ERROR;
        findings->n_warnings += severity == SEVERITY_WARNING;
        if (findings_are_full(findings)) {
                findings->n_dropped++;
                return;
        }

        if (text_vformat(&finding.text, format, arguments) >= 0)
                text_defuse(finding.text);

        if (!finding.text || !copy_text(path, &finding.path) || !copy_text(hint, &finding.hint)
            || finding_push(findings, &finding) < 0)
                findings->failed = -ENOMEM;
}

void finding_add(Findings *findings, Severity severity, Place place, const char *path,
                 const char *hint, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        finding_add_v(findings, severity, place, path, hint, format, arguments);
        va_end(arguments);
}

static int number_compare(unsigned a, unsigned b)
{
        return (a > b) - (a < b);
}

static int finding_compare(const void *a, const void *b)
{
        const Finding *x = a, *y = b;
        int order;

        order = number_compare(x->place.part, y->place.part);
        if (order == 0)
                order = number_compare(x->place.line, y->place.line);
        if (order == 0)
                order = number_compare(x->place.column, y->place.column);
        if (order == 0)
                order = number_compare(x->severity, y->severity);
        if (order == 0)
                order = strcmp(x->path ? x->path : "", y->path ? y->path : "");
        return order != 0 ? order : strcmp(x->text, y->text);
}

int findings_close(Findings *findings)
{
        size_t n = 0;

        if (findings->n_items > 0)
                qsort(findings->items, findings->n_items, sizeof(Finding), finding_compare);
        for (size_t i = 0; i < findings->n_items; i++)
                if (n > 0 && finding_compare(&findings->items[n - 1], &findings->items[i]) == 0)
                        finding_done(&findings->items[i]);
                else
                        findings->items[n++] = findings->items[i];

        findings->n_items = n;
        return findings->failed;
}

void findings_done(Findings *findings)
{
        for (size_t i = 0; i < findings->n_items; i++)
                finding_done(&findings->items[i]);
        free(findings->items);
        *findings = (Findings) {};
}
