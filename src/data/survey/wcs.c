/* data/survey/wcs.c - world coordinates through WCSLIB, with what it leaves unsaid or unchecked.
 * Sources: Greisen & Calabretta 2002 (A&A 395, 1061), Calabretta & Greisen 2002 (1077); FITS 4.0,
 * section 8; Shupe et al. 2005 (SIP); the FITS registry (TPV, TNX, ZPX). */
#include "data/survey/wcs.h"

#include "core/memory.h"
#include "core/options.h"

#include <ctype.h>
#include <fitsio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wcslib/lin.h>
#include <wcslib/wcserr.h>
#include <wcslib/wcsfix.h>
#include <wcslib/wcshdr.h>
#include <wcslib/wcslib.h>
#include <wcslib/wcsmath.h>
#include <wcslib/wcsunits.h>

struct orr_wcs {
    char *name;
    struct wcsprm *all; /* every representation of the header */
    int n_all;
    struct wcsprm plane; /* the celestial axes of one that has more */
    struct wcsprm *use;
    orr_sky sky;
    orr_sky_way way;
};

/* A card: cfitsio takes it apart (WCSLIB's fitshdr writes behind its own array). */
typedef struct {
    char name[FLEN_KEYWORD];
    char value[FLEN_VALUE]; /* texts without their quotes */
    char type;              /* of cfitsio: C text, I and F numbers, ...; 0: no value */
} card;

/* A header on its way into an orr_wcs. */
typedef struct {
    char *text;
    card *cards;
    int n;
    struct wcsprm *w; /* the representation that counts */
    int lng, lat;     /* its axes, 0 or 1 or ... */
} header;

static orr_status no_memory(const char *name)
{
    return orr_fail(ORR_ERR_NOMEM, "out of memory: world coordinates of %s", name);
}

/* ---- keywords ---- */

static void trim(char *s)
{
    size_t n = strlen(s);

    while (n > 0 && s[n - 1] == ' ')
        s[--n] = 0;
}

static void read_card(card *out, const char *at)
{
    char text[FLEN_CARD] = "", comment[FLEN_COMMENT];
    int n = 0, status = 0;

    *out = (card){ .type = 0 };
    memcpy(text, at, 80);
    fits_get_keyname(text, out->name, &n, &status);
    fits_parse_value(text, out->value, comment, &status);
    if (status || !*out->value) return;
    if (fits_get_keytype(out->value, &out->type, &status)) out->type = 'X';
    if (out->type != 'C') return;
    memmove(out->value, out->value + 1, strlen(out->value));
    if ((n = (int)strlen(out->value)) > 0) out->value[n - 1] = 0;
    trim(out->value);
}

static orr_status read_cards(header *h, const char *text, int n, const char *name)
{
    if (!(h->cards = orr_alloc((size_t)n + 1, sizeof *h->cards))) return no_memory(name);
    for (h->n = 0; h->n < n; h->n++)
        read_card(&h->cards[h->n], text + 80 * (size_t)h->n);
    fits_clear_errmsg();
    return ORR_OK;
}

/* The card of a keyword of the representation (its letter is put behind it), the last one that
 * stands there, as WCSLIB takes it; NULL: there is none. */
static const card *find(const header *h, const char *stem, int axis)
{
    char name[16], number[12] = "";
    const card *found = NULL;

    if (axis >= 0) snprintf(number, sizeof number, "%d", axis + 1);
    snprintf(name, sizeof name, "%s%s%s", stem, number, *h->w->alt == ' ' ? "" : h->w->alt);
    for (int i = 0; i < h->n; i++)
        if (strcmp(h->cards[i].name, name) == 0) found = &h->cards[i];
    return found;
}

/* Is it a keyword whose number makes places: CRVAL1, CD1_2A, A_2_0, LONPOLE? */
static int is_number_keyword(const char *name, char alt)
{
    static const char *const stems[] = { "CRVAL", "CRPIX", "CDELT", "CROTA", "CD", "PC",
                                         "PV",    "A_",    "B_",    "AP_",   "BP_" };
    size_t n = 0;

    if (strncmp(name, "LONPOLE", 7) == 0 || strncmp(name, "LATPOLE", 7) == 0) {
        n = 7;
    } else {
        for (size_t i = 0; n == 0 && i < sizeof stems / sizeof *stems; i++)
            if (strncmp(name, stems[i], strlen(stems[i])) == 0 &&
                isdigit((unsigned char)name[strlen(stems[i])]))
                n = strlen(stems[i]);
        if (n == 0) return 0;
        n += strspn(name + n, "0123456789_");
    }
    return alt == ' ' ? name[n] == 0 : name[n] == alt && name[n + 1] == 0;
}

static int number_of(const card *k, double *out)
{
    char text[FLEN_VALUE];
    int good;

    snprintf(text, sizeof text, "%s", k->value);
    for (char *p = text; *p; p++)
        if (*p == 'D' || *p == 'd') *p = 'E';
    good = (k->type == 'I' || k->type == 'F') && orr_parse_real(out, text) == ORR_OK;
    if (!good) orr_error_clear();
    return good;
}

/* WCSLIB passes over a card that it cannot read, and takes the last of two. */
static orr_status check_numbers(const header *h)
{
    for (int i = 0; i < h->n; i++) {
        const card *k = &h->cards[i];
        double value = 0, other = 0;

        if (!is_number_keyword(k->name, *h->w->alt)) continue;
        if (!number_of(k, &value))
            return orr_fail(ORR_ERR_FORMAT, "%s is %s, where a number is needed", k->name,
                            k->type == 'C' ? "a text" : "nothing that can be read");
        for (int j = 0; j < i; j++)
            if (strcmp(h->cards[j].name, k->name) == 0 && number_of(&h->cards[j], &other) &&
                other != value)
                return orr_fail(ORR_ERR_FORMAT, "%s stands there twice, with %.15g and %.15g",
                                k->name, other, value);
    }
    return ORR_OK;
}

/* What says that the header goes with tables of distortions in other HDUs. */
static orr_status check_tables(const header *h)
{
    static const char *const any[] = { "D2IMDIS1", "D2IMDIS2", "D2IMEXT", "AXISCORR", "D2IMARR" };

    for (int i = 0; i < h->n; i++) {
        const card *k = &h->cards[i];
        int lookup = (strncmp(k->name, "CPDIS", 5) == 0 || strncmp(k->name, "CQDIS", 5) == 0) &&
                     k->type == 'C' && strncasecmp(k->value, "lookup", 6) == 0;

        for (size_t j = 0; !lookup && j < sizeof any / sizeof *any; j++)
            lookup = strcmp(k->name, any[j]) == 0;
        if (lookup)
            return orr_fail(ORR_ERR_FORMAT,
                            "%s asks for a distortion by lookup table, which is not applied; use "
                            "the frame resampled (drizzled)",
                            k->name);
    }
    return ORR_OK;
}

/* Does a row of the matrix stand there, CD1_1 or CD001002?  WCSLIB fills in 1 degree a pixel. */
static int has_row(const header *h, int axis)
{
    char now[16], old[16];

    snprintf(now, sizeof now, "CD%d_", axis + 1);
    snprintf(old, sizeof old, "CD%03d", axis + 1);
    for (int i = 0; i < h->n; i++)
        if (is_number_keyword(h->cards[i].name, *h->w->alt) &&
            (strncmp(h->cards[i].name, now, strlen(now)) == 0 ||
             strncmp(h->cards[i].name, old, strlen(old)) == 0))
            return 1;
    return 0;
}

/* CRVAL and CRPIX have defaults in the standard, at which no frame lies; matrices of two kinds
 * contradict each other. */
static orr_status check_complete(const header *h)
{
    static const char *const needed[] = { "CRVAL", "CRPIX" };
    int axes[2] = { h->lng, h->lat };

    /* A plate of the DSS: WCSLIB makes them of its own keywords. */
    if (!find(h, "CTYPE", h->lng) && !find(h, "CTYPE", h->lat)) return ORR_OK;
    for (int k = 0; k < 4; k++)
        if (!find(h, needed[k / 2], axes[k % 2]))
            return orr_fail(ORR_ERR_FORMAT, "it has no %s%d%s", needed[k / 2], axes[k % 2] + 1,
                            *h->w->alt == ' ' ? "" : h->w->alt);
    if (!(h->w->altlin & 7) && !find(h, "CDELT", h->lng) && !find(h, "CDELT", h->lat))
        return orr_fail(ORR_ERR_FORMAT, "it has neither CDi_j nor CDELT1 and CDELT2");
    for (int k = 0; k < 2 && (h->w->altlin & 2); k++)
        if (!has_row(h, axes[k])) return orr_fail(ORR_ERR_FORMAT, "it has no CD%d_j", axes[k] + 1);
    if ((h->w->altlin & 3) == 3)
        return orr_fail(
            ORR_ERR_FORMAT,
            "it has both PCi_j and CDi_j, which say the same twice; remove one of them");
    if ((h->w->altlin & 5) == 5 && h->w->crota[h->lat] != 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "it has both PCi_j and CROTA%d, which say the same twice; remove one of "
                        "them",
                        h->lat + 1);
    return ORR_OK;
}

/* ---- the representation ---- */

/* Names CTYPE a longitude (or a latitude) on the sky? */
static int names(const char *ctype, int latitude)
{
    if (strncmp(ctype, latitude ? "DEC-" : "RA--", 4) == 0) return 1;
    if (strlen(ctype) < 5 || ctype[4] != '-') return 0;
    return strncmp(ctype + 1, latitude ? "LAT" : "LON", 3) == 0 ||
           strncmp(ctype + 2, latitude ? "LT" : "LN", 2) == 0;
}

static int find_axes(header *h)
{
    h->lng = h->lat = -1;
    for (int i = 0; i < h->w->naxis; i++) {
        if (h->lng < 0 && names(h->w->ctype[i], 0)) h->lng = i;
        if (h->lat < 0 && names(h->w->ctype[i], 1)) h->lat = i;
    }
    return h->lng >= 0 && h->lat >= 0;
}

static orr_status choose(orr_wcs *w, header *h)
{
    for (int i = 0; i < w->n_all; i++) {
        h->w = &w->all[i];
        if (find_axes(h)) return ORR_OK;
    }
    if (w->n_all < 1)
        return orr_fail(ORR_ERR_FORMAT, "no celestial world coordinates: none in the header");
    h->w = w->all;
    return orr_fail(ORR_ERR_FORMAT,
                    "no celestial world coordinates: CTYPE1 is '%.20s' and CTYPE2 '%.20s'",
                    h->w->ctype[0], h->w->naxis > 1 ? h->w->ctype[1] : "");
}

/* SCAMP's polynomials before TPV had a name: TAN has no parameters on its latitude, and four on
 * its longitude.  Beside SIP they say the same again. */
static void read_scamp(const header *h)
{
    struct wcsprm *w = h->w;
    int theirs = 0;

    if (strncmp(w->ctype[h->lng] + 4, "-TAN", 4) != 0) return;
    for (int i = 0; i < w->npv; i++)
        theirs |= w->pv[i].i == h->lat + 1 || (w->pv[i].i == h->lng + 1 && w->pv[i].m > 4);
    if (!theirs) return;
    if (w->lin.dispre) {
        w->npv = 0;
        return;
    }
    memcpy(w->ctype[h->lng] + 4, "-TPV", 4);
    memcpy(w->ctype[h->lat] + 4, "-TPV", 4);
}

/* EQUINOX = '2000.0', 'J2000', 'B1950': WCSLIB passes over texts. */
static orr_status read_equinox(const header *h)
{
    const card *k = find(h, "EQUINOX", -1);
    const char *text = k && k->type == 'C' ? k->value : "";
    char era = (char)toupper((unsigned char)*text);

    if (!*text || !undefined(h->w->equinox)) return ORR_OK;
    if (era == 'J' || era == 'B') text++;
    if (orr_parse_real(&h->w->equinox, text) != ORR_OK)
        return orr_fail(ORR_ERR_FORMAT, "EQUINOX is '%.20s', which is no year", k->value);
    if (!*h->w->radesys && (era == 'J' || era == 'B'))
        snprintf(h->w->radesys, sizeof h->w->radesys, "%s", era == 'J' ? "FK5" : "FK4");
    return ORR_OK;
}

/* ---- WCSLIB's own verdict ---- */

/* Keywords that can be at fault, where WCSLIB names none. */
static const char *suspects(const header *h, int status)
{
    switch (status) {
    case WCSERR_SINGULAR_MTX:
        return h->w->altlin & 2   ? "CDi_j"
               : h->w->altlin & 1 ? "PCi_j, CDELT1 and CDELT2"
                                  : "CDELT1 and CDELT2";
    case WCSERR_BAD_CTYPE:
        return "CTYPE1 and CTYPE2";
    case WCSERR_BAD_SUBIMAGE:
    case WCSERR_NON_SEPARABLE:
        return "WCSAXES";
    default:
        return "CTYPE1 and CTYPE2 with PVi_m, LONPOLE and LATPOLE";
    }
}

static int names_keyword(const char *words)
{
    static const char *const stems[] = { "CTYPE", "CUNIT", "CRVAL", "PV1_",  "PV2_", "DP1",
                                         "DP2",   "DQ1",   "DQ2",   "CPDIS", "CQDIS" };

    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        if (strstr(words, stems[i])) return 1;
    return 0;
}

/* WCSLIB's words, in one line. */
static orr_status refusal(const header *h, const char *name, const struct wcsprm *w, int status)
{
    const struct wcserr *e = w->err;
    char line[400];

    if (status == WCSERR_MEMORY) return no_memory(name);
    snprintf(line, sizeof line, "%s", e && e->msg && *e->msg ? e->msg : wcs_errmsg[status]);
    for (char *p = line; *p; p++)
        if (*p == '\n') *p = ' ';
    if (names_keyword(line))
        return orr_fail(ORR_ERR_FORMAT, "no celestial world coordinates: %s", line);
    return orr_fail(ORR_ERR_FORMAT, "no celestial world coordinates: %s (%s)", line,
                    suspects(h, status));
}

/* Does the place on the sky depend on an axis that the image does not have? */
static orr_status check_plane(const header *h)
{
    const double *matrix = h->w->altlin & 2 ? h->w->cd : h->w->pc;
    int n = h->w->naxis;

    for (int i = 0; i < n; i++)
        for (int j = 2; j < n; j++)
            if ((i == h->lng || i == h->lat) && i != j && matrix[i * n + j] != 0)
                return orr_fail(ORR_ERR_FORMAT,
                                "%s%d_%d ties the sky to axis %d (WCSAXES is %d), which the image "
                                "does not have",
                                h->w->altlin & 2 ? "CD" : "PC", i + 1, j + 1, j + 1, n);
    return ORR_OK;
}

/* Of more than two axes, those on the sky. */
static orr_status cut_plane(orr_wcs *w, header *h)
{
    int n = 1, status, axes[16] = { WCSSUB_CELESTIAL };

    if (h->w->naxis == 2) return ORR_OK;
    ORR_TRY(check_plane(h));
    if (h->w->naxis > 16)
        return orr_fail(ORR_ERR_FORMAT, "WCSAXES is %d, and the image has two axes", h->w->naxis);
    w->plane.flag = -1;
    status = wcssub(1, h->w, &n, axes, &w->plane);
    if (status) return refusal(h, w->name, h->w, status);
    h->w = &w->plane;
    if (n != 2 || axes[0] != 1 || axes[1] != 2)
        return orr_fail(ORR_ERR_FORMAT,
                        "of its axes (WCSAXES) those on the sky are not the first two, which are "
                        "the image's");
    find_axes(h);
    return ORR_OK;
}

/* wcsset would say it, and lose the memory of its words. */
static orr_status check_units(const header *h)
{
    double scale, offset, power;

    for (int i = 0; i < 2; i++)
        if (*h->w->cunit[i] && wcsunits(h->w->cunit[i], "deg", &scale, &offset, &power) != 0)
            return orr_fail(ORR_ERR_FORMAT, "CUNIT%d is '%.20s', which is no unit of angles", i + 1,
                            h->w->cunit[i]);
    return ORR_OK;
}

/* WCSLIB sees only a zero, not what rounding leaves of one.  A matrix that is the unit one is not
 * kept. */
static int has_inverse(const double *m)
{
    double size, det;

    if (!m) return 1;
    size = m[0] * m[0] + m[1] * m[1] + m[2] * m[2] + m[3] * m[3];
    det = m[0] * m[3] - m[1] * m[2];
    return fabs(det) > 1e-12 * size;
}

static orr_status set(orr_wcs *w, header *h)
{
    int fixes[NWCSFIX], status;

    ORR_TRY(cut_plane(w, h));
    for (int i = 0; i < 2; i++)
        if (!(h->w->altlin & 2) && h->w->cdelt[i] == 0)
            return orr_fail(ORR_ERR_FORMAT, "CDELT%d is 0", i + 1);
    wcsfix(7, NULL, h->w, fixes); /* 7: all unit spellings; what it cannot mend, wcsset tells */
    ORR_TRY(check_units(h));
    /* Words cost memory, which WCSLIB loses when it fails twice on one struct: once is enough. */
    wcserr_enable(1);
    status = wcsset(h->w);
    wcserr_enable(0);
    if (status) return refusal(h, w->name, h->w, status);
    if (!has_inverse(h->w->lin.piximg)) return refusal(h, w->name, h->w, WCSERR_SINGULAR_MTX);
    if (h->w->lng < 0 || h->w->lat < 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "no celestial world coordinates: CTYPE1 is '%.20s' and CTYPE2 '%.20s'",
                        h->w->ctype[0], h->w->ctype[1]);
    w->use = h->w;
    return ORR_OK;
}

/* ---- the system ---- */

static orr_status read_sky(const header *h, orr_sky *out)
{
    const struct wcsprm *w = h->w;
    double equinox = undefined(w->equinox) ? NAN : w->equinox;

    if (strcmp(w->lngtyp, "RA") == 0) return orr_sky_equatorial(out, w->radesys, equinox);
    if (strcmp(w->lngtyp, "GLON") == 0) {
        *out = (orr_sky){ .kind = ORR_SKY_GALACTIC };
        return ORR_OK;
    }
    if (strcmp(w->lngtyp, "SLON") == 0) {
        *out = (orr_sky){ .kind = ORR_SKY_SUPERGALACTIC };
        return ORR_OK;
    }
    if (strcmp(w->lngtyp, "ELON") != 0)
        return orr_fail(ORR_ERR_FORMAT,
                        "CTYPE%d is '%.20s': its world coordinates are %.4s and %.4s, which no "
                        "position is taken to",
                        w->lng + 1, w->ctype[w->lng], w->lngtyp, w->lattyp);
    ORR_TRY(orr_sky_equatorial(out, w->radesys, equinox));
    if (out->kind != ORR_SKY_ICRS && out->kind != ORR_SKY_FK5)
        return orr_fail(ORR_ERR_FORMAT,
                        "its ecliptic is that of FK4 (RADESYS, EQUINOX), which no position is "
                        "taken to");
    if (out->kind == ORR_SKY_ICRS) out->equinox = 2000;
    out->kind = ORR_SKY_ECLIPTIC;
    return ORR_OK;
}

/* ---- opening ---- */

static orr_status parse(orr_wcs *w, header *h, char *text, int n_cards)
{
    int n_bad, status;

    ORR_TRY(read_cards(h, text, n_cards, w->name));
    status = wcspih(text, n_cards, WCSHDR_all, 0, &n_bad, &w->n_all, &w->all);
    if (status == WCSHDRERR_MEMORY) return no_memory(w->name);
    if (status)
        return orr_fail(ORR_ERR_FORMAT, "no celestial world coordinates: none in the header");
    return ORR_OK;
}

/* The cards, without what no header may hold (a line's end) and WCSLIB's parsers do not bear. */
static orr_status copy_text(char **out, const char *text, int n_cards, const char *name)
{
    size_t n = 80 * (size_t)n_cards;

    if (!(*out = orr_alloc(n + 1, 1))) return no_memory(name);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : ' ';
    return ORR_OK;
}

static orr_status read_header(orr_wcs *w, header *h, int n_cards, const orr_sky *sky)
{
    ORR_TRY(parse(w, h, h->text, n_cards));
    ORR_TRY(choose(w, h));
    ORR_TRY(check_tables(h));
    ORR_TRY(check_numbers(h));
    ORR_TRY(check_complete(h));
    read_scamp(h);
    ORR_TRY(read_equinox(h));
    ORR_TRY(set(w, h));
    if (sky)
        w->sky = *sky;
    else
        ORR_TRY(read_sky(h, &w->sky));
    orr_sky_find_way(&w->way, &w->sky);
    return ORR_OK;
}

orr_status orr_wcs_open(orr_wcs **out, const char *text, int n_cards, const orr_sky *sky,
                        const char *name)
{
    orr_wcs *w = orr_alloc(1, sizeof *w);
    header h = { 0 };
    orr_status st;

    *out = NULL;
    if (w) w->plane.flag = -1;
    if (!w || !(w->name = orr_strdup(name))) {
        orr_free(w);
        return no_memory(name);
    }
    st = copy_text(&h.text, text, n_cards, name);
    if (st == ORR_OK) st = read_header(w, &h, n_cards, sky);
    orr_free(h.cards);
    orr_free(h.text);
    if (st == ORR_OK) {
        *out = w;
        return st;
    }
    orr_wcs_close(w);
    return st == ORR_ERR_NOMEM ? st : orr_fail_prefix(st, "%s: ", name);
}

void orr_wcs_close(orr_wcs *w)
{
    if (!w) return;
    if (w->plane.flag != -1) wcsfree(&w->plane);
    if (w->all) wcsvfree(&w->n_all, &w->all);
    orr_free(w->name);
    orr_free(w);
}

const orr_sky *orr_wcs_sky(const orr_wcs *w)
{
    return &w->sky;
}

/* ---- places ---- */

enum { AT_ONCE = 64 };
typedef struct {
    double world[AT_ONCE][2], pixel[AT_ONCE][2], image[AT_ONCE][2], phi[AT_ONCE], theta[AT_ONCE];
    int bad[AT_ONCE];
} places;

/* k positions of p->world; one whose polynomial cannot be inverted spoils no other. */
static orr_status place(const orr_wcs *w, places *p, int k)
{
    int status =
        wcss2p(w->use, k, 2, p->world[0], p->phi, p->theta, p->image[0], p->pixel[0], p->bad);

    if (status == 0) memset(p->bad, 0, (size_t)k * sizeof *p->bad);
    if (status != 0 && status != WCSERR_BAD_WORLD && status != WCSERR_MEMORY) {
        for (int i = 0; i < k && status != WCSERR_MEMORY; i++) {
            status = wcss2p(w->use, 1, 2, p->world[i], &p->phi[i], &p->theta[i], p->image[i],
                            p->pixel[i], &p->bad[i]);
            p->bad[i] = status != 0;
        }
    }
    if (status == WCSERR_MEMORY) return no_memory(w->name);
    return ORR_OK;
}

orr_status orr_wcs_to_pixel(const orr_wcs *w, int n, const double *ra, const double *dec, double *x,
                            double *y)
{
    places p;
    int lng = w->use->lng, lat = w->use->lat;

    for (int at = 0; at < n; at += AT_ONCE) {
        int k = n - at < AT_ONCE ? n - at : AT_ONCE;

        for (int i = 0; i < k; i++)
            orr_sky_from_icrs(&w->way, ra[at + i], dec[at + i], &p.world[i][lng], &p.world[i][lat]);
        ORR_TRY(place(w, &p, k));
        for (int i = 0; i < k; i++) {
            int good = !p.bad[i] && isfinite(ra[at + i]) && isfinite(dec[at + i]);

            x[at + i] = good ? p.pixel[i][0] - 1 : NAN;
            y[at + i] = good ? p.pixel[i][1] - 1 : NAN;
        }
    }
    return ORR_OK;
}
