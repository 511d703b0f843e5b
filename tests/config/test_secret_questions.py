"""What no form may ask for is recognised in all languages, and nothing else is."""

import pytest

from app.config import secret_questions

ASKS = """
Credit card number|Card number|Your card no|CVV|CVC code|IBAN|Bank account|Account number|Your account number
Payment information|Card expiry date|SWIFT code|Routing number|Sort code|Cardholder name|Debit card|credit-card
Bank details|bank_account|card_number|CREDIT CARD|Kreditkarte|Kreditkartennummer|Kontonummer|Ihre Kontonummer
Bankverbindung|Prüfziffer|carte bancaire|Numéro de carte|Numéro de compte|tarjeta de crédito|Número de tarjeta
cuenta bancaria|cartão de crédito|Número do cartão|Conta bancária|クレジットカード番号|口座番号|신용카드 번호
계좌번호|信用卡号|银行账户|رقم بطاقة الائتمان|حساب بنكي|رقم الحساب|Password|Your AWS password|Passwort|Kennwort
mot de passe|contraseña|senha|パスワード|비밀번호|密码|كلمة المرور|Secret access key
"""
HARMLESS = """
Business card|Business card number|Account manager|Discord account|AWS account number|AWS-Kontonummer|Team size
Número de cuenta de AWS|Do you use a password manager?|Passwordless sign-in?|Postcard address
Which programming language: Swift?|PIN code|Zip code|ID card number|Tarjeta de visita|Carte de visite
SIM card number|Score card|Discount code|Customer account number|Kundenkonto|Dashboard cards|VAT number
Purchase order number|暗号化|암호화를 사용하나요|Billing contact email|Visitenkarte|Ansprechpartner|名刺|明함
密码学|Which bank holidays?|Carte SIM|Who is your account executive?|SAML account name|Numéro de compte AWS
"""
WARNINGS = """
Do not enter passwords here.|Keine Kreditkartendaten eingeben.|パスワードは入力しないでください|请勿输入密码
비밀번호를 입력하지 마세요
"""


def texts(lines: str) -> list[str]:
    return [text for line in lines.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize("text", texts(ASKS))
def test_question_for_payments_or_passwords_is_found(text: str) -> None:
    assert secret_questions.find(text)
    assert secret_questions.find_in_hint(text)


@pytest.mark.parametrize("text", texts(HARMLESS))
def test_harmless_question_is_not_found(text: str) -> None:
    assert secret_questions.find(text) is None


@pytest.mark.parametrize("text", texts(WARNINGS))
def test_hint_that_warns_of_secrets_is_not_found(text: str) -> None:
    assert secret_questions.find_in_hint(text) is None
